"""Known modules as rows: what a module is called, which variables set it up, what it can embed, how it is asked."""

import logging
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from vecmod.contract.modality import IMAGE, MODALITIES, TEXT, Modality

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KnownModule:
    """One row. More come through entry points of the group ``vecmod.modules``.

    Attributes:
        name: as in ``ENABLE_MODULES`` and in class definitions.
        origin_variable: holds the URL of the service.
        wait_variable: whether to wait for the service at start.
        modalities: what it can embed.
        lists: True if it is asked by lists (``/vectorize``), False if item by item (``/vectors``).
        says_json: whether requests carry a Content-Type, as Weaviate's do for this module.
    """

    name: str
    origin_variable: str
    wait_variable: str
    modalities: tuple[Modality, ...]
    lists: bool
    says_json: bool = False


IMG2VEC_NEURAL = KnownModule(
    name="img2vec-neural",
    origin_variable="IMAGE_INFERENCE_API",
    wait_variable="IMAGE_WAIT_FOR_STARTUP",
    modalities=(IMAGE,),
    lists=False,
)
MULTI2VEC_CLIP = KnownModule(
    name="multi2vec-clip",
    origin_variable="CLIP_INFERENCE_API",
    wait_variable="CLIP_WAIT_FOR_STARTUP",
    modalities=(TEXT, IMAGE),
    lists=True,
    says_json=True,
)
MULTI2VEC_BIND = KnownModule(
    name="multi2vec-bind",
    origin_variable="BIND_INFERENCE_API",
    wait_variable="BIND_WAIT_FOR_STARTUP",
    modalities=MODALITIES,
    lists=True,
)


def known_modules() -> dict[str, KnownModule]:
    """All rows by module name; a package whose row cannot be loaded is told of, and does not stand in others' way."""
    rows = (_load(entry) for entry in entry_points(group="vecmod.modules"))
    return {row.name: row for row in rows if row is not None}


@cache
def _load(entry: EntryPoint) -> KnownModule | None:
    """The row of an entry point; its fault is told once."""
    try:
        row = entry.load()
    except (ImportError, AttributeError) as error:
        reason = str(error)
    else:
        if isinstance(row, KnownModule):
            return row
        reason = f"that is {type(row).__name__}, not KnownModule"
    _log.warning("module %s is left out: its package offers %s (%s)", entry.name, entry.value, reason)
    return None
