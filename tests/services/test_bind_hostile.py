"""Bad media, over HTTP, against multi2vec-bind as a process of its own: each is named, and does no harm."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

import hostile_media as hostile
import running
from bind_golden import raw
from films import film
from growth import peak_below
from hostile_media import Bad
from pictures import b64, encoded, gradient
from sounds import tone, wav

IMAGEBIND = {"MODEL_NAME": "imagebind_huge", "VECMOD_MODEL_PATH": running.TINY_IMAGEBIND}
CONSE = {"MODEL_NAME": running.CONSE}
PICTURE = b64(encoded(gradient(60, 40)))
GOOD = {
    "images": PICTURE,
    "audio": b64(wav(tone(1).tobytes())),
    "video": b64(film(3, 10, size=(32, 24))),
    "imu": b64(b"a,b,c,d,e,f\n" + b"0.1,-0.2,9.81,0,0,1e-3\n" * 20),
    "thermal": PICTURE,
    "depth": PICTURE,
}
BAD: dict[str, Callable[[], tuple[Bad, ...]]] = {
    "images": hostile.bad_pictures,
    "audio": hostile.bad_sounds,
    "video": hostile.bad_films,
    "imu": hostile.bad_tables,
    "thermal": hostile.bad_pictures,
    "depth": hostile.bad_pictures,
}
UNSUPPORTED = (
    "this model embeds text, image, video, thermal, depth, not {}; ImageBind embeds it: MODEL_NAME=imagebind_huge"
)
CODES = {413: "too_large", 422: "undecodable"}
# Megabytes: what the media of these tests may need at once, and what may be left of it.
PEAK, KEPT = 500, 20


@dataclass(frozen=True)
class Victim:
    """A service, and every folder in which it could leave something."""

    caller: running.Caller
    process: psutil.Process
    folders: tuple[Path, ...]
    serves: frozenset[str]

    def files(self) -> set[Path]:
        return {file for folder in self.folders for file in folder.rglob("*")}

    def vectorize(self, **lists: object) -> running.Answer:
        return self.caller("POST", "/vectorize", lists)

    def vectors(self, key: str, *values: str) -> np.ndarray:
        answer = self.vectorize(**{key: values})
        assert answer.status == 200, answer.body
        return np.array(answer.json()[f"{key.removesuffix('s')}Vectors"])


@pytest.fixture(scope="module", params=[IMAGEBIND, CONSE], ids=["imagebind", "conse"])
def victim(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    cache, work, temporary, home = (tmp_path_factory.mktemp(name) for name in ("cache", "work", "tmp", "home"))
    # As the container sets it: what was freed goes back to the system.
    surroundings = {
        "TMPDIR": temporary,
        "HOME": home,
        "MALLOC_MMAP_THRESHOLD_": 4194304,
        "VECMOD_MAX_AUDIO_SECONDS": 100,
    }
    surroundings |= request.param
    with running.process_in(work, cache, running.free_port(), "multi2vec_bind", surroundings) as (caller, process):
        served = caller("GET", "/meta").json()["details"]["modalities"]
        serves = frozenset(key for key in GOOD if key.removesuffix("s") in served)
        yield Victim(caller, psutil.Process(process.pid), (cache, work, temporary, home), serves)


@pytest.fixture(autouse=True)
def _nothing_is_left_and_nothing_is_a_bug(victim: Victim) -> Iterator[None]:
    before = victim.files()
    yield
    assert victim.files() == before
    assert not [file for file in victim.process.open_files() if Path(file.path).parent in victim.folders]
    for code in ("internal", "engine_fault"):
        assert victim.caller.metric(f'vecmod_rejections_total{{code="{code}"}}') == 0


def assert_refused(victim: Victim, key: str, bad: Bad) -> None:
    answer = victim.vectorize(**{key: [GOOD[key], bad.value, GOOD[key]]})
    said = answer.json()
    assert said.keys() == {"error", "code"}, (bad.name, answer.body[:300])
    assert len(said["error"]) < 500, bad.name
    start = f"{key}[1] (item 2 of 3): "
    if key not in victim.serves:
        assert (answer.status, said["code"]) == (422, "unsupported_modality"), bad.name
        assert said["error"].startswith(f"{key}[0] (item 1 of 3): {UNSUPPORTED.format(key)}"), bad.name
        return
    code = "url_refused" if "URL" in said["error"] and "://" in bad.value else CODES[bad.status]
    assert (answer.status, said["code"]) == (bad.status, code), (bad.name, said)
    assert said["error"].startswith(start), (bad.name, said)
    assert re.search(bad.words, said["error"].removeprefix(start)), (bad.name, said)


def kept(victim: Victim, key: str, cases: list[Bad]) -> int:
    """Megabytes that a round of bad media leaves behind; what leaks does so each time, an allocator's spares do not."""
    before = victim.process.memory_info().rss
    for bad in cases:
        victim.vectorize(**{key: [bad.value]})
    return (victim.process.memory_info().rss - before) >> 20


@pytest.mark.parametrize("key", GOOD)
def test_bad_media_are_named_and_leave_nothing(key: str, victim: Victim) -> None:
    known = victim.vectors(key, GOOD[key]) if key in victim.serves else None
    cases = [*hostile.no_media(), *BAD[key]()]
    with peak_below(PEAK, victim.process.pid):
        for bad in cases:
            assert_refused(victim, key, bad)
            if known is not None:
                np.testing.assert_allclose(victim.vectors(key, GOOD[key]), known, atol=1e-5, err_msg=bad.name)
        assert any(kept(victim, key, cases) < KEPT for _ in range(4))


@pytest.mark.parametrize("key", GOOD)
def test_what_is_no_string(key: str, victim: Victim) -> None:
    for wrong in (None, 1, 1.5, True, [GOOD[key]], {"a": GOOD[key]}):
        answer = victim.vectorize(**{key: [GOOD[key], wrong]})
        assert (answer.status, answer.json()["code"]) == (400, "malformed")
        assert answer.json()["error"] == f"{key}.1: Input should be a valid string"
    assert victim.vectorize(**{key: []}).status == victim.vectorize(**{key: None}).status == 200


@pytest.mark.parametrize("key", GOOD)
def test_data_uris(key: str, victim: Victim) -> None:
    """Their types say nothing that is believed."""
    if key not in victim.serves:
        pytest.skip("refused, whatever it is")
    types = ("image/png", "audio/wav", "video/mp4", "text/csv", "application/octet-stream;charset=utf-8")
    vectors = victim.vectors(key, GOOD[key], *(f"data:{kind};base64,{GOOD[key]}" for kind in types))
    np.testing.assert_allclose(vectors, np.tile(vectors[:1], (len(types) + 1, 1)), atol=1e-5)


def test_one_item_of_each(victim: Victim) -> None:
    """``POST /vectors`` names the key."""
    for key in sorted(victim.serves):
        name = key.removesuffix("s")
        for bad in hostile.no_media():
            answer = victim.caller("POST", "/vectors", {"text": "a cat", name: bad.value})
            assert answer.status == 422, bad.name
            assert answer.json()["error"].startswith(f"{name}: "), bad.name
        assert victim.caller("POST", "/vectors", {"text": "a cat", name: GOOD[key]}).status == 200


def test_odd_media_that_are_none_the_worse_for_it(victim: Victim) -> None:
    """What they declare cannot be, or is not needed."""
    lengths = (1e300, -1e18, float("nan"), float("inf"), 1e18, 1e10)
    films = [hostile.film_lasting(milliseconds) for milliseconds in lengths]
    hours = film(3500, 1, codec="mpeg4", size=(16, 16), step=2)
    films += [raw("video", "vfr_240x180_9s.mp4"), hours, film(20, 10, "gif", "gif"), film(1, 10), film(30, 10)[:-1]]
    assert np.isfinite(victim.vectors("video", *map(b64, films))).all()
    if "audio" in victim.serves:
        sounds = [wav(tone(0.1, channels=64).tobytes(), channels=64), wav(tone(1).tobytes(), size=2**32 - 1)]
        assert np.isfinite(victim.vectors("audio", *map(b64, sounds))).all()
