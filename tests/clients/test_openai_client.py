"""openai's own client."""

from typing import Any

import numpy as np
import openai
import pytest

import running
from embedding_clients import PICTURE, STATUSES, failing, known
from pictures import b64, photo
from probes import cosines

CAT = photo("cat")


def client(service: running.Caller, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", **options)


def vectors(answer: openai.types.CreateEmbeddingResponse) -> list[list[float]]:
    return [one.embedding for one in answer.data]


def test_texts_in_its_own_encoding_and_in_numbers(clip_service: running.Caller) -> None:
    texts = ["a cat", "", "a rocket launch"]
    expected = known(clip_service, texts=texts)
    with client(clip_service) as ours:
        packed = ours.embeddings.create(model="multi2vec-clip", input=texts)
        plain = ours.embeddings.create(model="multi2vec-clip", input=texts, encoding_format="float", dimensions=384)
        alone = ours.embeddings.create(model="multi2vec-clip", input="a cat")
    np.testing.assert_allclose(cosines(vectors(packed), expected), 1, atol=1e-6)
    np.testing.assert_allclose(vectors(packed), vectors(plain), atol=1e-7)
    np.testing.assert_allclose(vectors(alone), vectors(packed)[:1], atol=1e-6)
    assert packed.usage.total_tokens == 4 + 2 + 5


def test_pictures_as_others_send_them(clip_service: running.Caller) -> None:
    given: Any = [{"image": b64(CAT)}, "a cat", {"url": f"data:image/jpeg;base64,{b64(CAT)}"}]
    with client(clip_service) as ours:
        answer = ours.embeddings.create(
            model="conse-en", input=given, extra_body={"task": "retrieval.query", "embedding_type": "float"}
        )
    image, text = known(clip_service, images=[CAT]), known(clip_service, texts=["a cat"])
    np.testing.assert_allclose(cosines(vectors(answer), [*image, *text, *image]), 1, atol=1e-6)


def test_a_conversation(clip_service: running.Caller) -> None:
    """As GPU servers take it: not one of the client's methods, so it is posted."""
    part = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{b64(CAT)}"}}
    body = {"model": "conse-en", "messages": [{"role": "user", "content": [part]}], "encoding_format": "float"}
    with client(clip_service) as ours:
        answer = ours.post("/embeddings", body=body, cast_to=openai.types.CreateEmbeddingResponse)
    np.testing.assert_allclose(cosines(vectors(answer), known(clip_service, images=[CAT])), 1, atol=1e-6)


def test_models(clip_service: running.Caller) -> None:
    with client(clip_service) as ours:
        assert [model.id for model in ours.models.list()] == ["builtin/conse-en", "multi2vec-clip"]


CLASSES = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    404: openai.NotFoundError,
    413: openai.APIStatusError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
}


@pytest.mark.parametrize("status", STATUSES)
def test_errors(status: int) -> None:
    given: Any
    with failing(status) as (service, model, picture), client(service, max_retries=0) as ours:
        given = [{"image": picture}]
        with pytest.raises(CLASSES[status]) as caught:
            ours.embeddings.create(model=model, input=given)
    error: Any = caught.value
    assert error.status_code == status
    assert error.body["message"] in str(error)


def test_it_tries_again_when_the_house_is_full() -> None:
    given: Any = [{"image": PICTURE}]
    with failing(503) as (service, model, _), client(service) as ours:
        with pytest.raises(openai.InternalServerError):
            ours.embeddings.create(model=model, input=given)
        assert service.metric('vecmod_requests_total{route="/v1/embeddings",status="503"}') == 3


def test_token_ids_are_refused_with_a_way_out(clip_service: running.Caller) -> None:
    with client(clip_service) as ours, pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        ours.embeddings.create(model="conse-en", input=[[64, 8415], [64, 5679]])
