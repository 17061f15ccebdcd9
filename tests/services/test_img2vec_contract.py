"""The official img2vec contract, as an official client can notice it; the checklist of what a replacement must do."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import running
from go_client import as_go_sends
from pictures import b64, encoded, gradient, photo
from vecmod.contract.errors import ErrorBody
from vecmod.contract.meta_api import MetaResponse
from vecmod.contract.vectors_api import VectorizeResponse, VectorResponse

CAT = b64(photo("cat"))


@pytest.fixture
def connection(service: running.Caller) -> Iterator[http.client.HTTPConnection]:
    opened = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=30)
    yield opened
    opened.close()


def exchange(service: running.Caller, raw: bytes) -> tuple[http.client.HTTPResponse, bytes]:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as opened:
        opened.sendall(raw)
        response = http.client.HTTPResponse(opened)
        response.begin()
        return response, response.read()


@pytest.mark.parametrize("path", ["/vectors", "/vectors/", "//vectors", "/vectors//", "http://i2v/vectors"])
def test_what_weaviate_sends_is_answered(path: str, service: running.Caller) -> None:
    body = json.dumps({"id": "8d5a3aa2-3c8d-4589-9ae1-3f638f506970_0", "image": CAT}, separators=(",", ":"))
    response, raw = exchange(service, as_go_sends("POST", path, "i2v-neural:8080", body.encode()))
    assert response.status == 200
    assert response.getheader("Content-Type") == "application/json"
    assert response.getheader("Content-Length") == str(len(raw))
    answer = json.loads(raw)
    assert list(answer) == ["id", "vector", "dim"]
    assert answer["id"] == "8d5a3aa2-3c8d-4589-9ae1-3f638f506970_0"
    assert b'"dim":1280}' in raw  # an integer literal: Go refuses 1280.0
    assert len(VectorResponse.model_validate_json(raw).vector) == 1280
    assert np.isfinite(answer["vector"]).all()


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_content_type_does_not_matter(content_type: str, service: running.Caller) -> None:
    assert service("POST", "/vectors", {"id": "1", "image": CAT}, Content_Type=content_type).status == 200


@pytest.mark.parametrize(
    "name", ["../../etc/x", "/etc/passwd", "", ".", "x" * 300, "a\0b", "img2vec_neural", 'q"\\', "é漢😀"]
)
def test_an_id_is_echoed_and_touches_no_file(
    name: str, service: running.Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("builtins.open", lambda *args, **_: opened.append(args))
    answer = service("POST", "/vectors", {"id": name, "image": CAT})
    monkeypatch.undo()
    assert answer.status == 200
    assert answer.json()["id"] == name
    assert opened == []
    assert list(tmp_path.iterdir()) == []


def test_an_id_may_be_a_number_or_missing(service: running.Caller) -> None:
    assert service("POST", "/vectors", {"id": 7, "image": CAT}).json()["id"] == "7"
    assert service("POST", "/vectors", {"image": CAT}).json()["id"] == ""


def test_the_same_request_again_gives_the_same_answer(service: running.Caller) -> None:
    first, second = (service("POST", "/vectors", {"id": "1", "image": CAT}) for _ in range(2))
    assert np.allclose(first.json()["vector"], second.json()["vector"], atol=1e-5)


@pytest.mark.parametrize(
    "path", ["/.well-known/live", "/.well-known/ready", "//.well-known/ready", "/.well-known/ready/"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_probes(method: str, path: str, service: running.Caller) -> None:
    answer = service(method, path)
    assert (answer.status, answer.body) == (204, b"")


def test_meta_tells_the_truth(service: running.Caller) -> None:
    meta = MetaResponse.model_validate_json(service("GET", "/meta").body)
    assert (meta.service, meta.model, meta.state) == ("img2vec-neural", running.BUILTIN, "ready")
    assert meta.details is not None
    assert meta.details.dimensions == {"image": 1280}
    assert meta.details.engine.name == "onnx"
    assert meta.details.licence == "Apache-2.0"
    assert meta.limits.max_pixels == 178_956_970
    assert meta.versions["vecmod"] == "0.1.0"


@pytest.mark.parametrize(
    ("request_line", "body", "expected", "words"),
    [
        ("POST /vectors", b"", (400, "malformed"), "Invalid JSON"),
        ("POST /vectors", b'{"id":"1","image":', (400, "malformed"), "Invalid JSON"),
        ("POST /vectors", b"[1]", (400, "malformed"), "body: Input should be an object"),
        ("POST /vectors", b"null", (400, "malformed"), "body: Input should be an object"),
        ("POST /vectors", {"id": "1"}, (400, "malformed"), "nothing to embed"),
        ("POST /vectors", {"id": "1", "image": 5}, (400, "malformed"), "image: Input should be a valid string"),
        ("POST /vectors", {"image": "$$$"}, (422, "undecodable"), "image: is not base64"),
        ("POST /vectors", {"image": ""}, (422, "undecodable"), "image: is empty"),
        ("POST /vectors", {"image": b64(b"text")}, (422, "undecodable"), "image: is not a picture"),
        ("POST /vectors", {"text": "a cat"}, (422, "unsupported_modality"), "text: this model embeds image"),
        ("POST /vectors", {"text": "a cat", "image": CAT}, (422, "unsupported_modality"), "embeds image, not text"),
        ("POST /vectorize", {"texts": ["a cat"]}, (422, "unsupported_modality"), r"texts[0] (item 1 of 1)"),
        ("POST /vectorize", {"images": [CAT, "$"]}, (422, "undecodable"), "images[1] (item 2 of 2): is not base64"),
        ("POST /vectorize", {"images": [None]}, (400, "malformed"), "images.0: Input should be a valid string"),
        ("POST /vectorize", {"images": [""] * 2049}, (413, "too_large"), "2049 items in one request"),
        ("GET /vectors", None, (405, "wrong_method"), "GET /vectors is not possible; /vectors takes POST"),
        ("DELETE /meta", None, (405, "wrong_method"), "/meta takes"),
        ("GET /nowhere", None, (404, "unknown_route"), "there is no /nowhere"),
    ],
)
def test_every_fault_is_json_with_error_and_code(
    request_line: str, body: object, expected: tuple[int, str], words: str, service: running.Caller
) -> None:
    method, path = request_line.split()
    answer = service(method, path, body)
    assert answer.headers["content-type"] == "application/json"
    fault = ErrorBody.model_validate_json(answer.body)
    assert (answer.status, fault.code) == expected
    assert words in fault.error
    assert len(fault.error) < 1000  # the input is not echoed


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(gradient(60, 40), "JPEG", quality=95, exif=exif)


@pytest.mark.parametrize(
    ("data", "same_as"),
    [
        pytest.param(encoded(gradient(60, 40).quantize(200)), None, id="palette"),
        pytest.param(encoded(gradient(60, 40).convert("RGBA")), encoded(gradient(60, 40)), id="rgba"),
        pytest.param(encoded(gradient(60, 40).convert("L")), encoded(gradient(60, 40).convert("L"), "BMP"), id="grey"),
        pytest.param(encoded(gradient(60, 40).convert("CMYK"), "JPEG"), None, id="cmyk-jpeg"),
        pytest.param(
            encoded(Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60) * 27)), None, id="16-bit"
        ),
        pytest.param(
            encoded(gradient(60, 40), "GIF", save_all=True, append_images=[gradient(60, 40, 3)]),
            encoded(gradient(60, 40), "GIF"),
            id="animated-gif",
        ),
        pytest.param(turned(), encoded(gradient(60, 40), "JPEG", quality=95), id="exif-turned"),
        pytest.param(encoded(gradient(60, 40), "WEBP", lossless=True), encoded(gradient(60, 40)), id="webp"),
    ],
)
def test_every_kind_of_picture_gives_its_vector(data: bytes, same_as: bytes | None, service: running.Caller) -> None:
    vector = service.vector(b64(data))
    assert len(vector) == 1280
    assert np.isfinite(vector).all()
    if same_as is not None:
        np.testing.assert_allclose(vector, service.vector(b64(same_as)), atol=1e-4)


def test_lists(service: running.Caller) -> None:
    other = b64(encoded(gradient(50, 40)))
    answer = service("POST", "/vectorize", {"images": [CAT, other, CAT], "texts": None, "unknown": 1})
    vectors = VectorizeResponse.model_validate_json(answer.body).image_vectors
    assert vectors is not None
    assert list(answer.json()) == ["imageVectors"]
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-5)
    np.testing.assert_allclose(vectors[0], service.vector(CAT), atol=1e-5)
    np.testing.assert_allclose(vectors[1], service.vector(other), atol=1e-5)
    assert service("POST", "/vectorize", {}).json() == {"imageVectors": []}


def test_many_items_in_one_request_are_split(service: running.Caller) -> None:
    images = [b64(encoded(gradient(20, 20, seed))) for seed in range(100)]
    vectors = service("POST", "/vectorize", {"images": images}).json()["imageVectors"]
    assert len(vectors) == 100
    np.testing.assert_allclose(vectors[57], service.vector(images[57]), atol=1e-4)


def test_idle_connections_outlive_weaviates_pool(cache: Path) -> None:
    """Weaviate keeps idle connections for 90 s: the default is longer, and the setting is what counts."""
    assert running.img2vec(cache).config.timeout_keep_alive > 90
    probe = b"GET /.well-known/live HTTP/1.1\r\nHost: h\r\n\r\n"
    with running.in_thread(running.img2vec(cache, VECMOD_KEEP_ALIVE=1)) as caller:
        host, port = caller.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as opened:
            for _ in range(2):
                opened.sendall(probe)
                assert opened.recv(1000).startswith(b"HTTP/1.1 204")
            start = time.monotonic()
            assert opened.recv(1) == b""
            assert 0.5 < time.monotonic() - start < 4


def test_many_requests_on_one_connection(connection: http.client.HTTPConnection) -> None:
    for number in range(20):
        connection.request("POST", "/vectors", json.dumps({"id": str(number), "image": CAT}))
        response = connection.getresponse()
        assert response.status == 200
        assert json.loads(response.read())["id"] == str(number)


def test_many_short_connections(service: running.Caller) -> None:
    body = json.dumps({"id": "1", "image": b64(encoded(gradient(8, 8)))})
    for _ in range(80):
        response, _ = exchange(service, as_go_sends("POST", "/vectors", "h", body.encode()))
        assert response.status == 200
