"""litellm, through which TiDB's client and many others call: the routes that lead to a service of one's own."""

from typing import Any

import litellm
import numpy as np
import pytest
from litellm import exceptions

import running
from embedding_clients import PICTURE, STATUSES, failing, known
from pictures import b64, photo
from probes import cosines

CAT = photo("cat")
CALLS = ("jina_ai", "openai", "hosted_vllm")
litellm.suppress_debug_info = True
pytestmark = pytest.mark.usefixtures("closed_litellm")


def embed(service: running.Caller, provider: str, given: list[Any], model: str = "conse-en", **options: Any) -> Any:
    answer = litellm.embedding(
        model=f"{provider}/{model}", input=given, api_base=f"{service.url}/v1", api_key="none", **options
    )
    return [one["embedding"] for one in answer.data]


@pytest.mark.parametrize("provider", CALLS)
def test_texts_and_pictures(provider: str, clip_service: running.Caller) -> None:
    vectors = embed(clip_service, provider, ["a cat", {"image": b64(CAT)}, {"text": "tea"}], model="builtin/conse-en")
    text, image, tea = known(clip_service, texts=["a cat", "tea"], images=[CAT])[0::2] + known(
        clip_service, texts=["tea"]
    )
    np.testing.assert_allclose(cosines(vectors, [text, image, tea]), 1, atol=1e-6)


@pytest.mark.parametrize("provider", CALLS)
def test_data_uris(provider: str, clip_service: running.Caller) -> None:
    uri = f"data:image/jpeg;base64,{b64(CAT)}"
    vectors = embed(clip_service, provider, [uri, "a cat"])
    (text, image) = known(clip_service, texts=["a cat"], images=[CAT])
    np.testing.assert_allclose(cosines(vectors, [image, text]), 1, atol=1e-6)


def test_what_only_jina_knows(clip_service: running.Caller) -> None:
    given: dict[str, Any] = {"task": "retrieval.query", "normalized": True, "dimensions": 384}
    vectors = embed(clip_service, "jina_ai", ["a cat"], **given)
    np.testing.assert_allclose(cosines(vectors, known(clip_service, texts=["a cat"])), 1, atol=1e-6)
    with pytest.raises(exceptions.BadRequestError, match="384 numbers"):
        embed(clip_service, "jina_ai", ["a cat"], dimensions=8)


CLASSES: dict[int, type[Exception] | tuple[type[Exception], ...]] = {
    400: exceptions.BadRequestError,
    401: exceptions.AuthenticationError,
    404: exceptions.NotFoundError,
    413: (exceptions.BadRequestError, exceptions.APIError),
    500: exceptions.InternalServerError,
    503: (exceptions.ServiceUnavailableError, exceptions.InternalServerError),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("provider", CALLS)
def test_errors(provider: str, status: int) -> None:
    with failing(status) as (service, model, picture), pytest.raises(CLASSES[status]) as caught:
        embed(service, provider, [{"image": picture}], model=model, max_retries=0)
    assert type(caught.value).__name__ != "BadRequestError" or status in (400, 413)


def test_a_host_without_version(service: running.Caller) -> None:
    answer = litellm.embedding(model="jina_ai/img2vec-neural", input=[{"image": PICTURE}], api_base=service.url)
    assert len(answer.data[0]["embedding"]) == 1280
