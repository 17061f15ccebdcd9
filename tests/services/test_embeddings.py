"""``/v1/embeddings`` and ``/v1/models`` as any client sees them, with the built-in models."""

import base64
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import running
from dummy_model import DummyModel
from pictures import b64, encoded, gradient, photo
from probes import cosines
from vecmod.contract.embeddings_api import EmbeddingsResponse, ModelEntry, ModelsResponse

IMAGE = b64(encoded(gradient(20, 10)))
CAT = b64(photo("cat"))
URI = f"data:image/jpeg;base64,{CAT}"


def post(service: running.Caller, body: object, path: str = "/v1/embeddings") -> dict[str, Any]:
    answer = service("POST", path, body)
    assert answer.status == 200, answer.body
    EmbeddingsResponse.model_validate_json(answer.body)
    return dict(answer.json())


def embed(service: running.Caller, given: object, **others: object) -> np.ndarray:
    answer = post(service, {"input": given, **others})
    assert [one["index"] for one in answer["data"]] == list(range(len(answer["data"])))
    return np.array([one["embedding"] for one in answer["data"]], np.float32)


def refused(service: running.Caller, body: object, status: int = 400, **headers: str) -> dict[str, Any]:
    answer = service("POST", "/v1/embeddings", body, **headers)
    assert answer.status == status, answer.body
    said = answer.json()
    assert said.keys() == {"error", "detail"}
    assert said["error"].keys() == {"message", "type", "param", "code"}
    assert said["detail"] == said["error"]["message"]
    assert len(answer.body) < 1200
    return dict(said["error"])


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings", "/v1//embeddings", "//embeddings/"])
def test_the_same_vectors_as_of_vectorize(path: str, clip_service: running.Caller) -> None:
    known = clip_service.vectorize(texts=["a cat", ""], images=[CAT, IMAGE])
    given = ["a cat", {"text": ""}, {"image": CAT}, {"bytes": IMAGE}]
    answer = post(clip_service, {"input": given, "model": "multi2vec-clip"}, path)
    assert answer["object"] == "list"
    assert answer["model"] == "builtin/conse-en"
    vectors = [one["embedding"] for one in answer["data"]]
    np.testing.assert_allclose(vectors, known["textVectors"] + known["imageVectors"], atol=1e-6)
    assert answer["usage"] == {"prompt_tokens": 4 + 2, "total_tokens": 6}  # with the marks of start and end


def test_every_way_to_send_a_picture(clip_service: running.Caller) -> None:
    wrapped = "\n".join(CAT[start : start + 76] for start in range(0, len(CAT), 76))
    mislabelled = f"data:image/x-unknown;charset=utf-8;base64,{CAT}"
    given = [URI, {"image": URI}, {"url": URI}, {"bytes": CAT}, {"image": wrapped}, mislabelled, {"url": CAT}]
    vectors = embed(clip_service, [*given, {"image": CAT, "text": None, "task": "x"}])
    np.testing.assert_allclose(vectors, np.tile(vectors[0], (8, 1)), atol=1e-6)
    np.testing.assert_allclose(embed(clip_service, {"image": CAT})[0], vectors[0], atol=1e-6)


def test_strings_that_are_texts(clip_service: running.Caller) -> None:
    texts = [CAT, "http://localhost/cat.jpg", "data: a cat", "data:text/plain;base64,eA==", "/data/cat.jpg"]
    known = clip_service.vectorize(texts=[*texts, URI])["textVectors"]
    np.testing.assert_allclose(embed(clip_service, [*texts, {"text": URI}]), known, atol=1e-6)


def test_urls_as_strings_if_asked_for(token_service: running.Caller) -> None:
    url = "http://127.0.0.1:9/cat.jpg"
    assert refused(token_service, {"input": ["a cat", url]})["message"].startswith("input[1] (item 2 of 2): ")
    assert len(embed(token_service, [f"see {url}", f"{url} shows it", "http://"])) == 3


def test_nothing_to_embed(clip_service: running.Caller) -> None:
    answer = post(clip_service, {"input": []})
    assert (answer["data"], answer["usage"]["total_tokens"]) == ([], 0)
    empty = embed(clip_service, "")
    np.testing.assert_allclose(empty, clip_service.vectorize(texts=[""])["textVectors"], atol=1e-6)


def test_a_thousand_items_in_order(clip_service: running.Caller) -> None:
    given = [{"image": b64(encoded(gradient(9, 7, n % 5)))} if n % 10 == 3 else f"number {n % 50}" for n in range(1000)]
    vectors = embed(clip_service, given)
    assert len(vectors) == 1000
    np.testing.assert_allclose(vectors, vectors[np.arange(1000) % 50], atol=1e-5)
    np.testing.assert_allclose(vectors[[3, 7, 42]], embed(clip_service, [given[n] for n in (3, 7, 42)]), atol=1e-5)
    assert len(embed(clip_service, ["x"] * 2048)) == 2048
    assert refused(clip_service, {"input": ["x"] * 2049}, 413)["type"] == "request_too_large"


@pytest.mark.parametrize("key", ["encoding_format", "embedding_type", "encoding_type"])
def test_base64_is_little_endian_float32(key: str, clip_service: running.Caller) -> None:
    floats = embed(clip_service, ["a cat", URI], **{key: "float"})
    answer = post(clip_service, {"input": ["a cat", URI], key: "base64"})
    decoded = [np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in answer["data"]]
    np.testing.assert_allclose(decoded, floats, atol=1e-7)
    for wrong in ("binary", "ubinary", "int8", ["float"], 3):
        error = refused(clip_service, {"input": "x", key: wrong})
        assert error["param"] == key
        assert "'float' or 'base64'" in error["message"]


def test_the_clients_own_encoding_counts(clip_service: running.Caller) -> None:
    """openai's client sends base64 even where its caller has asked for floats in Jina's words."""
    answer = post(clip_service, {"input": "x", "encoding_format": "base64", "embedding_type": "float"})
    assert isinstance(answer["data"][0]["embedding"], str)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *((name, True) for name in ("builtin/conse-en", "conse-en", "multi2vec-clip", "", None)),
        *(
            (name, True)
            for name in ("jina_ai/conse-en", "openai/builtin/conse-en", "x/multi2vec-clip", "conse-en@main")
        ),
        *(
            (name, False)
            for name in ("clip", "en", "builtin/", "xmulti2vec-clip", "text-embedding-3-small", "x" * 9999)
        ),
    ],
)
def test_names_of_models(name: str | None, known: bool, clip_service: running.Caller) -> None:
    body = {"input": "x", "model": name}
    if known:
        assert post(clip_service, body)["model"] == "builtin/conse-en"
    else:
        error = refused(clip_service, body, 404)
        assert (error["type"], error["code"], error["param"]) == ("not_found_error", "unknown_model", "model")
        assert "send builtin/conse-en or multi2vec-clip" in error["message"]


def test_models(service: running.Caller) -> None:
    for path in ("/v1/models", "/models", "/v1//models/"):
        listed = ModelsResponse.model_validate_json(service("GET", path).body)
        assert [entry.id for entry in listed.data] == ["builtin/efficientnet-lite0", "img2vec-neural"]
        assert listed.data[0].created > 1_700_000_000
    for entry in listed.data:
        assert ModelEntry.model_validate_json(service("GET", f"/v1/models/{entry.id}").body) == entry
    missing = service("GET", "/v1/models/gpt-4")
    assert (missing.status, missing.json()["error"]["code"]) == (404, "unknown_model")
    assert service.metric('vecmod_requests_total{route="/v1/models/gpt-4",status="404"}') == 0


def test_a_model_without_texts(service: running.Caller) -> None:
    known = service("POST", "/vectors", {"id": "x", "image": CAT}).json()["vector"]
    vectors = embed(service, [{"image": CAT}, URI])
    np.testing.assert_allclose(cosines(vectors, [known, known]), 1, atol=1e-6)
    for item, kind in (("a cat", "text"), ({"audio": "AAAA"}, "audio"), ({"video": "AAAA"}, "video")):
        error = refused(service, {"input": [URI, item]})
        assert error["message"] == f"input[1] (item 2 of 2): this model embeds image, not {kind}"
        assert (error["code"], error["type"]) == ("unsupported_modality", "invalid_request_error")


def test_length_of_vectors(service: running.Caller, clip_service: running.Caller) -> None:
    """Length 1, unless asked for those of the other routes: the image model's are longer."""
    (known,) = service.vectorize(images=[CAT])["imageVectors"]
    assert np.linalg.norm(known) > 2
    np.testing.assert_allclose(embed(service, URI, normalized=False), [known], atol=1e-6)
    for wish in (True, None):
        np.testing.assert_allclose(embed(service, URI, normalized=wish), [known / np.linalg.norm(known)], atol=1e-6)
    (text,) = clip_service.vectorize(texts=["a cat"])["textVectors"]
    assert embed(clip_service, "a cat").tolist() == [np.array(text, np.float32).tolist()]


def test_dimensions(clip_service: running.Caller) -> None:
    nothing: list[str] = []
    for given in ("x", nothing):
        post(clip_service, {"input": given, "dimensions": 384})
        error = refused(clip_service, {"input": given, "dimensions": 256})
        assert "384 numbers" in error["message"]
        assert error["param"] == "dimensions"
    for wrong in (b"NaN", b"1e400", b'"many"', b"true", b"-1", b"[384]"):
        refused(clip_service, b'{"input": "x", "dimensions": ' + wrong + b"}")


def test_what_does_not_apply_is_ignored(clip_service: running.Caller) -> None:
    others = {"user": "u", "task": "retrieval.query", "truncate": True, "late_chunking": True, "prompt_name": {"a": 1}}
    plain = embed(clip_service, "x")
    np.testing.assert_array_equal(embed(clip_service, "x", return_multivector=False, **others), plain)
    assert "one vector" in refused(clip_service, {"input": "x", "return_multivector": True})["message"]


def test_long_text_is_cut_and_says_so(clip_service: running.Caller) -> None:
    answer = post(clip_service, {"input": ["short", "word " * 10_000]})
    (warning,) = answer["warnings"]
    assert warning.startswith("input[1] (item 2 of 2): the text has 10002 tokens")
    assert answer["usage"]["prompt_tokens"] == 3 + 256
    assert "warnings" not in post(clip_service, {"input": "short"})


def conversation(*parts: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def picture(value: object) -> dict[str, object]:
    return {"type": "image_url", "image_url": value}


def test_a_conversation_is_one_embedding(clip_service: running.Caller) -> None:
    known = clip_service.vectorize(texts=["a cat\non a sofa"], images=[CAT, IMAGE])
    text, cat, other = np.array(known["textVectors"] + known["imageVectors"])
    body = conversation({"type": "text", "text": "on a sofa"}, picture({"url": URI, "detail": "low"}), picture(IMAGE))
    body["messages"] = [
        {"role": "system", "content": "a cat"},
        *body["messages"],
        {"role": "assistant", "content": None},
    ]  # type: ignore[misc]
    answer = post(clip_service, {**body, "normalized": False})
    (one,) = answer["data"]
    np.testing.assert_allclose(one["embedding"], (text + cat + other) / 3, atol=1e-6)
    (scaled,) = post(clip_service, body)["data"]
    assert np.linalg.norm(scaled["embedding"]) == pytest.approx(1)
    np.testing.assert_allclose(cosines([scaled["embedding"]], [one["embedding"]]), 1, atol=1e-6)


def test_a_conversation_of_one_kind(clip_service: running.Caller) -> None:
    alone = post(clip_service, conversation({"type": "text", "text": ""}, picture({"url": URI})))
    np.testing.assert_allclose(alone["data"][0]["embedding"], embed(clip_service, URI)[0], atol=1e-6)
    said = post(clip_service, {"messages": [{"role": "user", "content": "a cat"}], "encoding_format": "float"})
    np.testing.assert_allclose(said["data"][0]["embedding"], embed(clip_service, "a cat")[0], atol=1e-6)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"messages": []}, "messages: have neither"),
        ({"messages": [{"role": "user"}]}, "messages: have neither"),
        ({"messages": "a cat"}, "messages: must be a list"),
        ({"messages": ["a cat"]}, "messages: must be a list"),
        ({"messages": [{"content": 3}]}, "messages[0].content: must be"),
        (conversation("a cat"), "messages[0].content[0]: must be"),
        (
            conversation({"type": "text", "text": "a"}, {"type": "input_audio", "input_audio": {}}),
            "content[1]: must be",
        ),
        (conversation({"text": "a", "image_url": URI}), "content[0]: must be"),
        (conversation(picture({"url": 3})), "content[0]: must be"),
        (conversation(picture({"url": "AAAA"})), "messages[0].content[0]: is not a picture"),
        ({"messages": [{"content": "a"}], "input": "a"}, 'either "input" or "messages"'),
        ({}, 'either "input" or "messages"'),
        ({"input": None}, 'either "input" or "messages"'),
        ({"input": 3}, "input: must be"),
        ({"input": True}, "input: must be"),
        ({"input": 1.5}, "input: must be"),
        ({"input": ["a", None]}, "input[1] (item 2 of 2): must be"),
        ({"input": ["a", {}]}, "input[1] (item 2 of 2): must be"),
        ({"input": [{"text": "a", "image": IMAGE}]}, "input[0] (item 1 of 1): must be"),
        ({"input": [{"image": {"url": URI}}]}, "input[0] (item 1 of 1): must be"),
        ({"input": [{"image": ""}]}, "input[0] (item 1 of 1): is empty"),
        ({"input": [{"image": "file:///etc/passwd"}]}, "input[0] (item 1 of 1): is a URL, but only http"),
        ({"input": [{"image": "/etc/passwd"}]}, "input[0] (item 1 of 1): is not"),
        ({"input": [IMAGE, {"bytes": "AAAA"}]}, "input[1] (item 2 of 2): is not a picture"),
        ({"input": [["a"]]}, "input[0] (item 1 of 1): must be"),
        ({"input": [[[1]]]}, "input[0] (item 1 of 1): must be"),
        ({"input": [1, "a"]}, "input: must be"),
        ({"input": ["a", 1]}, "input[1] (item 2 of 2): must be"),
        ({"input": [True, False]}, "input[0] (item 1 of 2): must be"),
        (b'{"input": [NaN]}', "input[0] (item 1 of 1): must be"),
        (b'{"input": "\xff"}', "body: Invalid JSON"),
        (b"", "body: Invalid JSON"),
        (b"[]", "body: "),
    ],
    ids=str,
)
def test_what_cannot_be_understood_is_named(body: object, words: str, clip_service: running.Caller) -> None:
    error = refused(clip_service, body)
    assert words in error["message"]
    assert error["type"] == "invalid_request_error"
    key = words.partition("[")[0].partition(":")[0]
    assert error["param"] == (key if key in ("input", "messages") else error["param"])


def test_token_ids_without_the_table(clip_service: running.Caller) -> None:
    for given in ([64, 8415], [[64, 8415], [64, 5679]], ["a cat", [64, 8415]]):
        message = refused(clip_service, {"input": given})["message"]
        assert "check_embedding_ctx_length=False" in message
        assert "cl100k_base.tiktoken" in message


def test_token_ids(token_service: running.Caller) -> None:
    known = token_service.vectorize(texts=["a cat", "a dog", "日本語 🐈", ""])["textVectors"]
    ids = [[64, 8415], [64, 5679], [9080, 22656, 45918, 252, 11410, 238, 230], []]
    np.testing.assert_allclose(embed(token_service, ids), known, atol=1e-6)
    np.testing.assert_allclose(embed(token_service, ids[0]), known[:1], atol=1e-6)
    np.testing.assert_allclose(embed(token_service, ["a cat", ids[1]]), known[:2], atol=1e-6)
    # Cut by its client within a character.
    np.testing.assert_allclose(
        embed(token_service, [[64, 11410, 238]]), token_service.vectorize(texts=["a �"])["textVectors"], atol=1e-6
    )


@pytest.mark.parametrize("ids", [[100_256], [-1], [10**30], [64, 1.5], [64, True], [64, "a"], [64, [1]], [64, None]])
def test_what_is_no_token_id(ids: list[object], token_service: running.Caller) -> None:
    message = refused(token_service, {"input": ["a", ids]})["message"]
    assert message.startswith("input[1] (item 2 of 2): ")
    assert "cl100k_base" in message or "token ids" in message


def test_routes_that_are_not_there_answer_in_the_same_words(clip_service: running.Caller) -> None:
    lost = clip_service("POST", "/v1/embeddings/embeddings", {"input": "x"})
    assert (lost.status, lost.json()["error"]["type"]) == (404, "not_found_error")
    assert lost.json()["detail"] == lost.json()["error"]["message"]
    wrong = clip_service("GET", "//v1/embeddings")
    assert (wrong.status, wrong.json()["error"]["code"], wrong.headers["allow"]) == (405, "wrong_method", "POST")
    for path in ("/other", "/v10/embeddings", "/v1x"):
        assert clip_service("POST", path, {}).json().keys() == {"error", "code"}


def test_the_door_answers_in_the_same_words() -> None:
    image = {"input": {"image": IMAGE}}
    door = replace(running.DOOR, token="secret", max_body=2000)  # noqa: S106
    with running.in_thread(running.service_of(DummyModel, door)) as caller:
        assert refused(caller, image, 401)["type"] == "authentication_error"
        right = {"Authorization": "Bearer secret"}
        assert caller("POST", "/embeddings", image, **right).status == 200
        assert refused(caller, b"x" * 3000, 413, **right)["type"] == "request_too_large"
        assert caller("GET", "/v1/models").status == 200
        assert caller.metric('vecmod_requests_total{route="/v1/embeddings",status="401"}') == 1


def test_a_full_house_says_when_to_come_again() -> None:
    with running.in_thread(running.service_of(DummyModel, replace(running.DOOR, max_in_flight=10))) as caller:
        answer = caller("POST", "/v1/embeddings", {"input": {"image": IMAGE}})
    assert (answer.status, answer.json()["error"]["type"]) == (503, "service_unavailable")
    assert answer.headers["retry-after"] == "1"


def test_faults_of_ours() -> None:
    def broken(_: object) -> None:
        raise ValueError("no such luck")

    with running.in_thread(running.service_of(lambda: DummyModel(before_run=broken))) as caller:
        error = refused(caller, {"input": {"image": IMAGE}}, 500)
    assert (error["type"], error["code"]) == ("server_error", "engine_fault")


def test_not_ready() -> None:
    waiting = threading.Event()

    def never() -> DummyModel:
        waiting.wait(30)
        return DummyModel()

    with running.in_thread(running.service_of(never), until_ready=False) as caller:
        answer = caller("POST", "/v1/embeddings", {"input": {"image": IMAGE}})
        assert caller("GET", "/v1/models").status == 200
        waiting.set()
    assert (answer.status, answer.json()["error"]["code"], answer.headers["retry-after"]) == (503, "not_ready", "2")
