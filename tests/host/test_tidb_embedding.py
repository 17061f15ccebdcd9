"""Our embedding function for pytidb, by itself: what it takes for a picture, in which order it answers."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import running
from fake_service import Sent, always, by_lists, fake_service
from pictures import b64, encoded, gradient
from vecmod.host.host_errors import InvalidQuery, InvalidSettings, ServiceError, ServiceUnreachable
from vecmod.host.tidb_embedding import VecmodEmbedding

DATA = encoded(gradient(40, 30))
FORMS: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "name": str,
    "file URL": lambda path: path.as_uri(),
    "file URL in capitals": lambda path: path.as_uri().replace("file", "FILE"),
    "bytes": lambda path: path.read_bytes(),
    "file": lambda path: BytesIO(path.read_bytes()),
    "PIL": lambda path: Image.open(BytesIO(path.read_bytes())),
    "data URI": lambda path: f"data:image/png;base64,{b64(path.read_bytes())}",
}


@pytest.fixture(scope="module")
def embed(clip_service: running.Caller) -> VecmodEmbedding:
    return VecmodEmbedding(clip_service.url)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    (tmp_path / "a picture (é).png").write_bytes(DATA)
    return tmp_path / "a picture (é).png"


def known(service: running.Caller, texts: list[str], images: list[bytes]) -> list[list[float]]:
    answer = service("POST", "/vectorize", {"texts": texts, "images": [b64(image) for image in images]}).json()
    return [*answer["textVectors"], *answer["imageVectors"]]


def test_dimensions_are_asked_for(embed: VecmodEmbedding) -> None:
    assert (embed.dimensions, embed.use_server) == (384, False)
    assert VecmodEmbedding("http://127.0.0.1:1", dimensions=7).dimensions == 7


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_picture(
    form: str, embed: VecmodEmbedding, clip_service: running.Caller, picture: Path
) -> None:
    (expected,) = known(clip_service, [], [DATA])
    for ask in (embed.get_source_embedding, embed.get_query_embedding):
        np.testing.assert_allclose(ask(FORMS[form](picture), "image"), expected, atol=1e-6)
    if not isinstance(FORMS[form](picture), str):
        np.testing.assert_allclose(embed.get_query_embedding(FORMS[form](picture), "text"), expected, atol=1e-6)


@pytest.mark.parametrize("source_type", ["text", "image"])
@pytest.mark.parametrize("words", ["a cat", "", "file system", "data: a cat", "https"])
def test_words(words: str, source_type: Any, embed: VecmodEmbedding, clip_service: running.Caller) -> None:
    (expected,) = known(clip_service, [words], [])
    np.testing.assert_allclose(embed.get_query_embedding(words, source_type), expected, atol=1e-6)
    np.testing.assert_allclose(embed.get_source_embedding(words, "text"), expected, atol=1e-6)


def test_a_lone_word_is_no_file(
    embed: VecmodEmbedding, clip_service: running.Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cat").write_bytes(DATA)
    (tmp_path / "cat.png").write_bytes(DATA)
    monkeypatch.chdir(tmp_path)
    words, image = known(clip_service, ["cat"], [DATA])
    np.testing.assert_allclose(embed.get_query_embedding("cat", "image"), words, atol=1e-6)
    np.testing.assert_allclose(embed.get_query_embedding("cat.png", "image"), image, atol=1e-6)


def test_strangers_can_be_kept_from_files(clip_service: running.Caller, picture: Path) -> None:
    embed = VecmodEmbedding(clip_service.url, dimensions=384, read_files=False)
    for name in (str(picture), picture.as_uri()):
        (words,) = known(clip_service, [name], [])
        np.testing.assert_allclose(embed.get_query_embedding(name, "image"), words, atol=1e-6)
        with pytest.raises(InvalidQuery, match="names a file of this machine, which read_files=False forbids"):
            embed.get_source_embedding(name, "image")
    assert embed.get_query_embedding(picture, "image") == embed.get_source_embedding(DATA, "image")


def test_a_mixed_batch_keeps_its_order(embed: VecmodEmbedding, clip_service: running.Caller, picture: Path) -> None:
    """Of such a batch, litellm's jina_ai drops what is no data URI, and rows get each other's vectors."""
    images = [encoded(gradient(40, 30, seed)) for seed in range(4)]
    picture.write_bytes(images[3])
    sources = [f"data:image/png;base64,{b64(images[0])}", images[1], b64(images[2]), picture.as_uri()]
    found = embed.get_source_embeddings(sources, "image")
    np.testing.assert_allclose(found, known(clip_service, [], images), atol=1e-6)
    in_text = embed.get_source_embeddings([images[1], "a cat", images[0], "a dog"], "text")
    cat, dog, *vectors = known(clip_service, ["a cat", "a dog"], images)
    np.testing.assert_allclose(in_text, [vectors[1], cat, vectors[0], dog], atol=1e-6)


def test_many_go_in_batches_and_none_not_at_all() -> None:
    texts = {f"text {number}": [number, 1.0] for number in range(150)}
    with fake_service(by_lists({"texts": texts}, {})) as service:
        embed = VecmodEmbedding(service.origin, dimensions=2)
        assert embed.get_source_embeddings([]) == []
        assert service.requests == []
        assert embed.get_source_embeddings(list(texts)) == list(texts.values())
    assert [len(json.loads(sent.body)["texts"]) for sent in service.requests] == [64, 64, 22]


def test_large_ones_go_alone() -> None:
    def reply(sent: Sent) -> tuple[int, str, dict[str, str]]:
        return 200, json.dumps({"imageVectors": [[1.0] for _ in json.loads(sent.body)["images"]]}), {}

    with fake_service(reply) as service:
        embed = VecmodEmbedding(service.origin, dimensions=1)
        assert embed.get_source_embeddings([bytes(20_000_000), bytes(20_000_000), b"x", b"y"], "image") == [[1.0]] * 4
    assert [len(json.loads(sent.body)["images"]) for sent in service.requests] == [1, 3]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('{"textVectors": [[1, 2]]}', "sources 0 to 1: 1 vectors for 2 inputs in textVectors"),
        ('{"textVectors": [[1, 2], [1, 2], [3, 4]]}', "3 vectors for 2 inputs"),
        ('{"textVectors": [[1, 2], [1, 2, 3]]}', "vectors of 3 numbers, the field has 2: it serves another model"),
        ('{"textVectors": [[1, 2], null]}', "no vector in the answer"),
        ("{}", "0 vectors for 2 inputs"),
    ],
)
def test_answers_that_do_not_fit(answer: str, message: str) -> None:
    with fake_service(always(200, answer)) as service, pytest.raises(ServiceError, match=message):
        VecmodEmbedding(service.origin, dimensions=2).get_source_embeddings(["a", "b"])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no/such/file.jpg", "neither an existing file nor base64"),
        ("file:///no/such/file.jpg", "cannot be read: No such file"),
        (Path("no/such/file.jpg"), "cannot be read: No such file"),
        (5, "a int is no medium"),
        (None, "a NoneType is no medium"),
        ("x" * 5000 + "!", "neither"),
        ("a\0b", "neither"),
    ],
)
def test_sources_that_are_no_pictures(source: Any, message: str, embed: VecmodEmbedding) -> None:
    with pytest.raises(InvalidQuery, match=message):
        embed.get_source_embedding(source, "image")


def test_what_the_service_refuses(embed: VecmodEmbedding) -> None:
    with pytest.raises(ServiceError, match=r"sources 0 to 1: .*images"):
        embed.get_source_embeddings([DATA, b"no picture"], "image")


def test_an_unknown_source_type(embed: VecmodEmbedding) -> None:
    unknown: Any = "video"  # which pytidb lets through
    with pytest.raises(InvalidQuery, match='source_type is "text" or "image", not \'video\''):
        embed.get_source_embedding("a cat", unknown)


def test_modules(service: running.Caller) -> None:
    img2vec = VecmodEmbedding(service.url, module="img2vec-neural")
    assert img2vec.dimensions == 1280
    assert len(img2vec.get_source_embeddings([DATA, DATA], "image")) == 2
    with pytest.raises(InvalidSettings, match="there is no module 'clip'; known are img2vec-neural, "):
        VecmodEmbedding(service.url, module="clip")


def test_without_a_service() -> None:
    with pytest.raises(ServiceUnreachable, match="is it running"):
        VecmodEmbedding("http://127.0.0.1:1")
