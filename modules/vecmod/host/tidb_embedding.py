"""An embedding function for people who use pytidb directly: their tables, our service."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import Field, PrivateAttr
from pytidb.embeddings.base import BaseEmbeddingFunction, EmbeddingSourceType

from vecmod.contract.modality import IMAGE, MODALITIES, TEXT
from vecmod.host.catalog import known_modules
from vecmod.host.client import ServiceClient
from vecmod.host.collect import Piece
from vecmod.host.host_errors import InvalidQuery, InvalidSettings, ServiceError
from vecmod.host.media_input import is_url, to_wire

# A service takes 2048 items and 128 MiB at once; smaller requests let it work while the next one is being read.
_ITEMS = 64
_CHARACTERS = 2**25
# The longest path on Linux.
_PATH = 4096
_FILE = re.compile(r"file:/", re.IGNORECASE)
_DATA = re.compile(r"data:image/")


class VecmodEmbedding(BaseEmbeddingFunction):
    """Asks ``/vectorize`` of a service, in batches, with repetition where nothing is done twice.

    In a field with ``source_type="image"`` every source is a picture: an ``http(s)://`` URL (which the service fetches,
    if its operator allows the host), a ``file://`` URL, the name of a file, a data URI, base64, a path, bytes, a binary
    file or a PIL image. A query may be any of these but base64, or words. In a text field strings are words, and
    pictures that are no strings are pictures still.

    Args:
        service: its URL, such as ``http://127.0.0.1:8081``.
        module: which service it is.
        dimensions: length of the vectors; asked for if it is not given.
        timeout: seconds of one request with its repetitions.
        read_files: whether strings may name files of this machine. Say False where strangers write the queries.

    Raises:
        InvalidSettings: if the module is unknown or the URL is none.
        ServiceError: if the service fails, or answers with vectors of another length or number.
        ServiceUnreachable: if it cannot be reached; nothing is stored then.
        InvalidQuery: if a source or query is not what the field holds.
    """

    service: str
    read_files: bool = Field(True, description="whether strings may name files of this machine")
    _client: ServiceClient = PrivateAttr()

    def __init__(
        self,
        service: str,
        *,
        module: str = "multi2vec-clip",
        dimensions: int | None = None,
        timeout: float = 50.0,
        read_files: bool = True,
    ) -> None:
        known = known_modules()
        if module not in known:
            raise InvalidSettings(f"there is no module {module!r}; known are {', '.join(sorted(known))}")
        client = ServiceClient(known[module], service, timeout)
        super().__init__(
            provider="vecmod",
            model_name=f"vecmod/{module}",
            dimensions=dimensions or client.dimension(),
            service=service,
            read_files=read_files,
        )
        self._client = client

    def get_query_embedding(
        self, query: object, source_type: EmbeddingSourceType | None = "text", **_: object
    ) -> list[float]:
        """Float32 numbers ``[dimensions]`` of words or a picture."""
        is_words = isinstance(query, str) and (source_type == "text" or not self._is_picture(query))
        return self._embed(self._client, [self._piece(query, "text" if is_words else "image")])[0]

    def get_source_embedding(
        self, source: object, source_type: EmbeddingSourceType | None = "text", **_: object
    ) -> list[float]:
        """Float32 numbers ``[dimensions]`` of what one row holds."""
        return self.get_source_embeddings([source], source_type)[0]

    def get_source_embeddings(
        self, sources: list[Any], source_type: EmbeddingSourceType | None = "text", **_: object
    ) -> list[list[float]]:
        """Float32 numbers ``[dimensions]`` for each source, in order; no sources, no request."""
        vectors: list[list[float]] = []
        for batch in _batches(self._piece(source, source_type) for source in sources):
            try:
                vectors += self._embed(self._client.importing(), batch)
            except ServiceError as error:
                place = f"sources {len(vectors)} to {len(vectors) + len(batch) - 1}"
                raise ServiceError(f"{place}: {error}", error.code) from error
        return vectors

    def _embed(self, client: ServiceClient, pieces: Sequence[Piece]) -> list[list[float]]:
        # The service takes one list for each modality, and answers so.
        order = sorted(range(len(pieces)), key=lambda index: MODALITIES.index(pieces[index].modality))
        vectors = client.vectorize([pieces[index] for index in order], "pytidb")
        for vector in vectors:
            if len(vector) != self.dimensions:
                raise ServiceError(
                    f"{self.service} answers with vectors of {len(vector)} numbers, the field has {self.dimensions}: "
                    "it serves another model by now"
                )
        found = dict(zip(order, vectors, strict=True))
        return [found[index].tolist() for index in range(len(pieces))]

    def _piece(self, given: object, source_type: str | None) -> Piece:
        if source_type == "text" and isinstance(given, str):
            return Piece("", TEXT, given)
        if source_type not in ("text", "image"):
            raise InvalidQuery(f'source_type is "text" or "image", not {source_type!r}')
        return Piece("", IMAGE, self._picture(given))

    def _picture(self, given: Any) -> str:  # noqa: ANN401 -- checked by to_wire
        """A URL for the service, or base64."""
        if not isinstance(given, str):
            return to_wire(given)
        if not self.read_files and _names_file(given):
            raise InvalidQuery(f"{given[:80]!r} names a file of this machine, which read_files=False forbids")
        return to_wire(Path(url2pathname(urlsplit(given).path)) if _FILE.match(given) else given)

    def _is_picture(self, query: str) -> bool:
        # A lone word stays a word, whatever files there are.
        looks_like_file = self.read_files and not query.isalnum() and _names_file(query)
        return is_url(query) or bool(_DATA.match(query)) or looks_like_file


def _names_file(text: str) -> bool:
    return bool(_FILE.match(text)) or (len(text) < _PATH and "\0" not in text and Path(text).is_file())


def _batches(pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    size = 0
    for piece in pieces:
        if batch and (len(batch) == _ITEMS or size + len(piece.value) > _CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(piece)
        size += len(piece.value)
    if batch:
        yield batch
