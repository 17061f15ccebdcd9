"""What a family yields: everything that makes a model, as frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vecmod.serving.engine.network import AnyNetwork
from vecmod.serving.model.steps import Steps


@dataclass(frozen=True)
class Tower:
    """One encoder: preprocessing and network. Two towers may share a network, which is then loaded once."""

    steps: Steps
    network: AnyNetwork


@dataclass(frozen=True)
class Recipe:
    """A model, ready to be loaded.

    Attributes:
        name: as in ``MODEL_NAME``.
        revision: which weights exactly: SHA-256, commit or package version.
        licence: licence of the weights.
        towers: encoders by modality name.
        normalized: whether vectors are scaled to length 1.
        best_batch: inputs in one run beyond which throughput no longer grows on a CPU.
        sources: model folders, or the weights file, it was read from; of a pair, that of the pictures first. Empty if
            it came in packages.
        advice: for modalities that it does not embed, by name: what to do about it.
        official_meta: what the official container says of this model in ``/meta``.
    """

    name: str
    revision: str
    licence: str
    towers: Mapping[str, Tower]
    normalized: bool
    best_batch: int
    sources: tuple[Path, ...] = ()
    advice: Mapping[str, str] = field(default_factory=dict)
    official_meta: Mapping[str, str | int] = field(default_factory=dict)
