"""What tests with the client packages of ``/v1/embeddings`` need."""

import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import running
from dummy_model import DummyModel
from pictures import b64, encoded, gradient
from vecmod.serving.media.token_table import FILE

_LITELLM = importlib.util.find_spec("litellm")
assert _LITELLM is not None
assert _LITELLM.submodule_search_locations is not None
# litellm brings the table of cl100k_base, under the name that tiktoken's cache gives it.
_TABLES = Path(_LITELLM.submodule_search_locations[0], "litellm_core_utils/tokenizers")

# Read when these packages are imported: with it none of them asks the network.
OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "TIKTOKEN_CACHE_DIR": str(_TABLES)}

PICTURE = b64(encoded(gradient(20, 10)))


def copy_token_table(cache: Path) -> Path:
    return Path(shutil.copy(_TABLES / "9b5ad71b2ce5302211f9c61530b329a4922fc6a4", cache / FILE))


def known(service: running.Caller, *, texts: Sequence[str] = (), images: Sequence[bytes] = ()) -> list[Any]:
    """The vectors that the service's own contract gives: of the texts, then of the pictures."""
    answer = service("POST", "/vectorize", {"texts": list(texts), "images": [b64(image) for image in images]})
    assert answer.status == 200, answer.body
    return [*answer.json()["textVectors"], *answer.json()["imageVectors"]]


def _broken(_: object) -> None:
    raise ValueError("no such luck")


_FAILING: dict[int, tuple[dict[str, Any], str, str]] = {
    # what differs from a door that lets everybody in; the model asked for; the picture
    400: ({}, "dummy", "AAAA"),
    401: ({"token": "secret"}, "dummy", PICTURE),
    404: ({}, "other", PICTURE),
    413: ({"max_body": 50}, "dummy", PICTURE),
    500: ({}, "dummy", PICTURE),
    503: ({"max_in_flight": 50}, "dummy", PICTURE),
}
STATUSES = tuple(_FAILING)


@contextmanager
def failing(status: int) -> Iterator[tuple[running.Caller, str, str]]:
    """A service, and the model and the picture for which it answers with this status."""
    door, model, picture = _FAILING[status]

    def load() -> DummyModel:
        return DummyModel(before_run=_broken) if status == 500 else DummyModel()

    with running.in_thread(running.service_of(load, replace(running.DOOR, **door))) as caller:
        yield caller, model, picture
