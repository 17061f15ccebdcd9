"""LangChain's two clients: OpenAI's shape, with texts as token ids or as texts, and Jina's."""

from collections.abc import Iterator

import httpx
import numpy as np
import openai
import pytest
from langchain_openai import OpenAIEmbeddings
from pydantic import SecretStr

import running
from embedding_clients import known
from pictures import SAMPLES, b64, photo
from probes import cosines

TEXTS = ["a photo of a cat", "日本語 🐈", "tea, please!\n"]
CAT = photo("cat")
# Said once, when the package is imported; there is no other package with this client.
JINA = pytest.mark.filterwarnings("ignore:`langchain-community` is being sunset:DeprecationWarning")


@pytest.fixture
def line() -> Iterator[httpx.Client]:
    """Its own would stay open until the end of the process."""
    with httpx.Client() as client:
        yield client


def embeddings(service: running.Caller, line: httpx.Client, *, check: bool) -> OpenAIEmbeddings:
    return OpenAIEmbeddings(
        model="multi2vec-clip",
        openai_api_base=f"{service.url}/v1",
        openai_api_key=SecretStr("none"),
        http_client=line,
        check_embedding_ctx_length=check,
    )


def test_token_ids_as_it_sends_them_unless_told(token_service: running.Caller, line: httpx.Client) -> None:
    ours = embeddings(token_service, line, check=True)
    expected = known(token_service, texts=[*TEXTS, ""])
    np.testing.assert_allclose(cosines(ours.embed_documents([*TEXTS, ""]), expected), 1, atol=1e-6)
    np.testing.assert_allclose(cosines([ours.embed_query(TEXTS[0])], expected[:1]), 1, atol=1e-6)


def test_a_text_that_it_sends_in_parts(token_service: running.Caller, line: httpx.Client) -> None:
    """It takes the mean of the parts' vectors and scales it to length 1, as it expects all others to be."""
    (vector,) = embeddings(token_service, line, check=True).embed_documents(["a cat and a dog " * 5000])
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_a_data_uri_that_became_token_ids_is_a_picture_again(token_service: running.Caller, line: httpx.Client) -> None:
    small = (SAMPLES / "queries/coffee-small.jpg").read_bytes()
    vector = embeddings(token_service, line, check=True).embed_query(f"data:image/jpeg;base64,{b64(small)}")
    np.testing.assert_allclose(cosines([vector], known(token_service, images=[small])), 1, atol=1e-6)


def test_without_the_table_it_is_told_what_to_do(clip_service: running.Caller, line: httpx.Client) -> None:
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        embeddings(clip_service, line, check=True).embed_query("a cat")


def test_texts(clip_service: running.Caller, line: httpx.Client) -> None:
    ours = embeddings(clip_service, line, check=False)
    uri = f"data:image/jpeg;base64,{b64(CAT)}"
    expected = known(clip_service, texts=[*TEXTS, ""], images=[CAT])
    np.testing.assert_allclose(cosines(ours.embed_documents([*TEXTS, "", uri]), expected), 1, atol=1e-6)
    many = ours.embed_documents([f"number {number % 7}" for number in range(1200)])
    np.testing.assert_allclose(many, np.array(many)[np.arange(1200) % 7], atol=1e-5)


@JINA
def test_jina(clip_service: running.Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from langchain_community.embeddings import jina  # noqa: PLC0415 -- where its warning is expected

    monkeypatch.setattr(jina, "JINA_API_URL", f"{clip_service.url}/v1/embeddings")
    ours = jina.JinaEmbeddings(model_name="conse-en", jina_api_key=SecretStr("none"), session=None)
    expected = known(clip_service, texts=TEXTS, images=[CAT])
    found = [*ours.embed_documents(TEXTS), *ours.embed_images([str(SAMPLES / "photos/cat.jpg")])]
    np.testing.assert_allclose(cosines(found, expected), 1, atol=1e-6)
    np.testing.assert_allclose(cosines([ours.embed_query(TEXTS[0])], expected[:1]), 1, atol=1e-6)
    with pytest.raises(RuntimeError, match=r"input\[0\].*is not a picture"):
        ours.embed_images([str(SAMPLES / "CREDITS.md")])
