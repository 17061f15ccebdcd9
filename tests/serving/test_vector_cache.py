"""What is kept of vectors: as much as fits, what was asked for last, each under its own name."""

import itertools

import numpy as np

from vecmod.serving.flow.vector_cache import Embedded, VectorCache


def embedded(number: int) -> Embedded:
    return Embedded(np.full(256, number, np.float32), "cut" if number % 2 else "", number)


def number_of(found: Embedded | None) -> int | None:
    if found is None:
        return None
    assert found.vector.tolist() == [found.tokens] * 256
    assert found.warning == ("cut" if found.tokens % 2 else "")
    return found.tokens


def test_bounded_and_the_last_asked_for_stay() -> None:
    cache = VectorCache("a model", 20_000)  # of 1.5 kB each
    keys = [cache.key("image", b"%d" % number) for number in range(1000)]
    for number, key in enumerate(keys):
        cache.put(key, embedded(number))
        assert number_of(cache.get(keys[0])) == 0
        assert cache.size <= 20_000
    found = [number_of(cache.get(key)) for key in keys]
    assert [number for number in found if number is not None] == [0, *range(988, 1000)]


def test_put_again_costs_once() -> None:
    cache = VectorCache("a model", 20_000)
    key = cache.key("image", b"x")
    for number in range(100):
        cache.put(key, embedded(number))
    assert number_of(cache.get(key)) == 99
    assert cache.size < 2000


def test_a_row_does_not_keep_its_batch_and_nobody_can_change_it() -> None:
    cache = VectorCache("a model", 20_000)
    key = cache.key("image", b"x")
    batch = np.ones((1000, 256), np.float32)
    cache.put(key, Embedded(batch[3], ""))
    batch[3] = 7
    found = cache.get(key)
    assert found is not None
    assert found.vector.base is None
    assert found.vector.tolist() == [1] * 256
    assert not found.vector.flags.writeable


def test_nothing_is_kept_without_room() -> None:
    for size in (0, 100):
        cache = VectorCache("a model", size)
        cache.put(b"key", embedded(1))
        assert cache.get(b"key") is None
        assert cache.size == 0


def test_a_key_is_made_of_passport_modality_and_content() -> None:
    keys = {
        VectorCache(passport, 0).key(modality, content)
        for passport, modality, content in itertools.product(("a", "b"), ("image", "depth"), (b"", b"x", b"y"))
    }
    assert len(keys) == 12
    assert VectorCache("a", 0).key("image", b"x") == VectorCache("a", 9).key("image", b"x")
