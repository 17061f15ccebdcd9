"""Clients that send URLs of pictures: TiDB's, openai's, Jina's words, and chat messages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from litellm.exceptions import BadRequestError
from pytidb.embeddings import EmbeddingFunction

import running
from embedding_clients import known
from file_server import answer, serving
from pictures import photo
from probes import cosines

CAT = photo("cat")
pytestmark = pytest.mark.usefixtures("closed_litellm")


@pytest.fixture(scope="module")
def fetching(cache: Path) -> Iterator[tuple[running.Caller, str]]:
    """multi2vec-clip that may fetch from one server, also for plain strings; and the URL of a picture there."""
    with serving() as files:
        files.files["/cat.jpg"] = answer(CAT, "Content-Type: image/jpeg")
        with running.in_thread(
            running.clip(cache, VECMOD_ALLOW_URLS=files.authority, VECMOD_URL_STRINGS="1")
        ) as caller:
            yield caller, files.url("/cat.jpg")


def function(service: running.Caller) -> EmbeddingFunction:
    return EmbeddingFunction("jina_ai/conse-en", api_base=f"{service.url}/v1", api_key="none", multimodal=True)


def test_tidb(fetching: tuple[running.Caller, str]) -> None:
    service, url = fetching
    ours = function(service)
    vectors = [
        ours.get_query_embedding(url, source_type="image"),
        ours.get_query_embedding(url),
    ]  # the second: a string
    np.testing.assert_allclose(cosines(vectors, known(service, images=[CAT]) * 2), 1, atol=1e-6)


def test_tidb_is_told_that_nothing_is_fetched(clip_service: running.Caller) -> None:
    with pytest.raises(BadRequestError, match="VECMOD_ALLOW_URLS"):
        function(clip_service).get_query_embedding("http://127.0.0.1:9/cat.jpg", source_type="image")


def test_openai_and_chats(fetching: tuple[running.Caller, str]) -> None:
    service, url = fetching
    given: Any = [{"image": url}, {"url": url}, url, "a cat"]
    chat = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none") as client:
        listed = client.embeddings.create(model="conse-en", input=given)
        said = client.post("/embeddings", body=chat, cast_to=openai.types.CreateEmbeddingResponse)
    (text, image) = known(service, texts=["a cat"], images=[CAT])
    found = [one.embedding for one in [*listed.data, *said.data]]
    np.testing.assert_allclose(cosines(found, [image, image, image, text, image]), 1, atol=1e-6)
