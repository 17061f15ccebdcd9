"""LlamaIndex's two clients: Jina's, with a shape of its own for pictures, and that for servers like OpenAI's."""

import asyncio
from typing import Any

import numpy as np
import pytest
from llama_index.embeddings.jinaai import JinaEmbedding
from llama_index.embeddings.openai_like import OpenAILikeEmbedding

import running
from embedding_clients import known
from pictures import SAMPLES, b64, photo
from probes import cosines

PATH = SAMPLES / "photos/cat.jpg"
TEXTS = ["a cat", "a dog", "a rocket launch"]


def jina(service: running.Caller, **options: Any) -> JinaEmbedding:
    ours = JinaEmbedding(model="conse-en", api_key="none", **options)
    ours._api.api_url = f"{service.url}/v1/embeddings"
    return ours


def test_jina_texts(clip_service: running.Caller) -> None:
    ours = jina(clip_service, task="retrieval.query", dimensions=384, late_chunking=True)
    expected = known(clip_service, texts=TEXTS)
    np.testing.assert_allclose(cosines(ours.get_text_embedding_batch(TEXTS * 9), expected * 9), 1, atol=1e-6)
    np.testing.assert_allclose(cosines([ours.get_query_embedding("a cat")], expected[:1]), 1, atol=1e-6)
    later = asyncio.run(ours.aget_query_embedding("a cat"))
    np.testing.assert_allclose(cosines([later], expected[:1]), 1, atol=1e-6)


def test_jina_pictures(clip_service: running.Caller) -> None:
    values: list[Any] = [str(PATH), f"data:image/jpeg;base64,{b64(photo('cat'))}"]
    found = jina(clip_service).get_image_embedding_batch(values)
    np.testing.assert_allclose(cosines(found, known(clip_service, images=[photo("cat")]) * 2), 1, atol=1e-6)


def test_jina_faults_arrive_in_words(clip_service: running.Caller) -> None:
    """It reads nothing but ``detail``, and never looks at the status."""
    with pytest.raises(RuntimeError, match="is not a picture"):
        jina(clip_service).get_image_embedding(str(SAMPLES / "CREDITS.md"))
    with pytest.raises(RuntimeError, match="'float' or 'base64'"):
        jina(clip_service, encoding_queries="binary").get_query_embedding("a cat")
    with pytest.raises(RuntimeError, match="384 numbers"):
        jina(clip_service, dimensions=8).get_query_embedding("a cat")


def test_like_openai(clip_service: running.Caller) -> None:
    ours = OpenAILikeEmbedding(model_name="multi2vec-clip", api_base=f"{clip_service.url}/v1", api_key="none")
    expected = known(clip_service, texts=TEXTS)
    np.testing.assert_allclose(cosines(ours.get_text_embedding_batch(TEXTS), expected), 1, atol=1e-6)
    np.testing.assert_allclose(cosines([ours.get_query_embedding("a cat")], expected[:1]), 1, atol=1e-6)
