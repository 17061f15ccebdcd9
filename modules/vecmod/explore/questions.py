"""What a search is asked by: the body of its request, checked, and the hits."""

import base64
import binascii
import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vecmod.explore.explore_errors import malformed
from vecmod.explore.items import Items
from vecmod.explore.opened import Opened
from vecmod.host.collection import Collection
from vecmod.host.search import Page
from vecmod.host.stores.store import Hit

MOST_ITEMS = 200
_DISTANCES = 1000
_EXAMPLE = '{"by": "text", "text": "a cat"}, {"by": "image", "data": "<base64>"} or {"by": "object", "id": "..."}'


class Question(BaseModel):
    """The body of a search: one of ``text``, ``data`` and ``id`` goes with ``by``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    by: Literal["text", "image", "audio", "video", "imu", "thermal", "depth", "object"]
    text: str | None = Field(None, max_length=100_000)
    data: str | None = None
    id: str | None = None
    limit: int = Field(30, ge=1, le=MOST_ITEMS)
    offset: int = Field(0, ge=0)
    distance: float | None = None
    filter: dict[str, Any] | None = None
    distances: bool = False

    def query(self) -> str | bytes:
        """Words, the bytes of a medium, or an id.

        Raises:
            ExploreFault: if it is missing, another one is there, or the medium is no base64.
        """
        wanted = {"text": "text", "object": "id"}.get(self.by, "data")
        given = {name: value for name in ("text", "data", "id") if (value := getattr(self, name)) is not None}
        if given.keys() != {wanted} or not given[wanted]:
            raise malformed(f"to search by {self.by}, send {wanted!r} and no other: {_EXAMPLE}")
        # As bytes: a string might name a file of this machine, or a URL.
        return _bytes_of(given[wanted]) if wanted == "data" else given[wanted]


def read_question(body: object) -> Question:
    """Check the body of a search.

    Raises:
        ExploreFault: naming what is wrong.
    """
    try:
        return Question.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise malformed(f"{where}: {first['msg']}; send {_EXAMPLE}") from None


def answer(items: Items, opened: Opened, question: Question) -> dict[str, Any]:
    """The hits, whether there are more, and if they are wanted the distances of the 1,000 nearest.

    Raises:
        HostError: if it cannot be asked, or something does not answer.
    """
    began = time.perf_counter()
    page = Page(question.limit, question.offset, question.distance, question.filter)
    page.check()
    last = page.offset + page.limit
    if question.distances:
        # One question to service and store: what the page leaves of it is cut out here.
        nearest = _near(opened.collection, question, Page(max(_DISTANCES, last + 1), filter=page.filter))
        hits = [hit for hit in nearest if page.is_near(hit)][page.offset : last + 1]
    else:
        hits = _near(opened.collection, question, Page(page.limit + 1, page.offset, page.distance, page.filter))
    shown: dict[str, Any] = {
        "hits": [items.item(opened, hit) for hit in hits[: page.limit]],
        "more": len(hits) > page.limit,
        "milliseconds": round((time.perf_counter() - began) * 1000),
    }
    if question.distances:
        shown["distances"] = [round(hit.distance, 4) for hit in nearest[:_DISTANCES]]
    return shown


def _near(collection: Collection, question: Question, page: Page) -> list[Hit]:
    hits: list[Hit] = getattr(collection, f"near_{question.by}")(
        question.query(), limit=page.limit, offset=page.offset, distance=page.distance, filter=page.filter
    )
    return hits


def _bytes_of(text: str) -> bytes:
    """Base64, standard or URL-safe, with or without a data URI's beginning."""
    data = text.partition(",")[2] if text.startswith("data:") else text
    data = "".join(data.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise malformed("'data' is no base64; send the bytes of the file as base64") from None
