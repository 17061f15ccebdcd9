"""TiDB's own client, pytidb: each kind of value that its EmbeddingFunction takes."""

from pathlib import Path
from typing import Any

import litellm
import numpy as np
import pytest
from litellm.exceptions import BadRequestError
from PIL import Image
from pytidb.embeddings import EmbeddingFunction

import running
from embedding_clients import known
from pictures import SAMPLES, b64, encoded, gradient, photo
from probes import cosines

CAT = photo("cat")
PATH = SAMPLES / "photos/cat.jpg"
litellm.suppress_debug_info = True
pytestmark = pytest.mark.usefixtures("closed_litellm")


def function(service: running.Caller, provider: str = "jina_ai") -> EmbeddingFunction:
    return EmbeddingFunction(
        model_name=f"{provider}/conse-en", api_base=f"{service.url}/v1", api_key="none", multimodal=True
    )


@pytest.mark.parametrize("provider", ["jina_ai", "openai"])
def test_every_kind_of_value(provider: str, clip_service: running.Caller) -> None:
    ours = function(clip_service, provider)
    assert ours.dimensions == 384
    (text, image) = known(clip_service, texts=["a cat"], images=[CAT])
    values: list[Any] = [PATH, PATH.as_uri(), f"data:image/jpeg;base64,{b64(CAT)}"]
    for value in values:
        vector = ours.get_query_embedding(value, source_type="image")
        np.testing.assert_allclose(cosines([vector], [image]), 1, atol=1e-6)
    np.testing.assert_allclose(cosines([ours.get_query_embedding("a cat", source_type="image")], [text]), 1, atol=1e-6)
    np.testing.assert_allclose(cosines([ours.get_query_embedding("a cat")], [text]), 1, atol=1e-6)


def test_pictures_in_memory(clip_service: running.Caller) -> None:
    """It writes them again in the format they were read from: PNG keeps every pixel, JPEG does not."""
    path, made = SAMPLES / "queries/cat-crop.png", gradient(40, 30)
    values: list[Any] = [Image.open(path), made]
    vectors = function(clip_service).get_source_embeddings(values, source_type="image")
    expected = known(clip_service, images=[path.read_bytes(), encoded(made)])
    np.testing.assert_allclose(cosines(vectors, expected), 1, atol=1e-6)


def test_300_rows_at_once_keep_their_order(clip_service: running.Caller) -> None:
    names = ("cat", "rocket", "coffee")
    paths: list[Any] = [SAMPLES / f"photos/{names[row % 3]}.jpg" for row in range(300)]
    vectors = function(clip_service).get_source_embeddings(paths, source_type="image")
    expected = known(clip_service, images=[photo(name) for name in names])
    np.testing.assert_allclose(cosines(vectors, [expected[row % 3] for row in range(300)]), 1, atol=1e-6)


@pytest.mark.parametrize("provider", ["jina_ai", "openai"])
def test_nothing_is_a_request_too(provider: str, clip_service: running.Caller) -> None:
    """It asks so when no row of a bulk insert needs a vector."""
    assert function(clip_service, provider).get_source_embeddings([]) == []


def test_a_picture_that_is_none(clip_service: running.Caller, tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"no picture")
    with pytest.raises(BadRequestError, match="is not a picture"):
        function(clip_service).get_source_embeddings([PATH, tmp_path / "cat.jpg"], source_type="image")
