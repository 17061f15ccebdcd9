"""Requests that real clients sent, once more: of pytidb, litellm, openai, LangChain, LlamaIndex and Milvus Lite.

They were recorded against a stub, only Weaviate's are written from its source; pictures that were cut are real here.
"""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import running
from embedding_clients import PICTURE

RECORDED = json.loads((Path(__file__).parents[1] / "fixtures/embedding_requests.json").read_text())
IDS = [f"{one['from']}: {one['case']}" for one in RECORDED]


def post(service: running.Caller, recorded: Any, **changes: object) -> running.Answer:
    """The body with our model's name, as the recorded ones are not ours."""
    body = json.dumps({**recorded["body"], "model": "conse-en", **changes}).replace("PICTURE", PICTURE).encode()
    headers = {name.replace("-", "_"): value for name, value in recorded["headers"].items()}
    return service("POST", "/v1/embeddings", body, **headers)


def vectors(answer: running.Answer) -> list[Any]:
    """As clients take them: by position, from numbers or base64."""
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    given = [one["embedding"] for one in answer.json()["data"]]
    return [np.frombuffer(base64.b64decode(one), "<f4") if isinstance(one, str) else np.array(one) for one in given]


@pytest.mark.parametrize("recorded", RECORDED, ids=IDS)
def test_what_clients_sent(recorded: Any, clip_service: running.Caller, token_service: running.Caller) -> None:
    expected = recorded["answer"]
    answer = post(clip_service, recorded)
    if isinstance(expected, int):
        assert [vector.shape for vector in vectors(answer)] == [(384,)] * expected
    elif expected == "token ids":
        assert (answer.status, "check_embedding_ctx_length=False" in answer.json()["detail"]) == (400, True)
        assert np.isfinite(vectors(post(token_service, recorded))).all()
    else:
        assert answer.status == 400
        assert expected.removeprefix("refused: ") in answer.json()["detail"]
    if "dimensions" in recorded["body"]:
        assert np.isfinite(vectors(post(clip_service, recorded, dimensions=384))).all()


@pytest.mark.parametrize("name", sorted({one["body"]["model"] for one in RECORDED}))
def test_models_of_others_are_not_here(name: str, clip_service: running.Caller) -> None:
    assert post(clip_service, RECORDED[0], model=name).status == 404
