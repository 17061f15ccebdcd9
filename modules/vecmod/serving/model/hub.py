"""Weights from the Hugging Face hub, fetched once and kept. The one door to its client."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from vecmod.serving.model.weights import (
    DESCRIPTIONS,
    WeightsFile,
    WeightsNotFound,
    WeightsPlace,
    usual_names,
)

Result = TypeVar("Result")

# Whole precision only; the second of a pair is where the numbers of a large graph are.
_GRAPHS = tuple(
    f"{name}.onnx{data}"
    for name in ("text_model", "vision_model", "textual/model", "visual/model")
    for data in ("", "_data", ".data")
)


@dataclass(frozen=True)
class HubFile:
    """A file on the Hugging Face hub: pinned by commit, checked by its SHA-256."""

    repo: str
    filename: str
    revision: str
    sha256: str


def fetch_weights(place: WeightsPlace, hub: HubFile) -> Path:
    """A file of the hub, downloaded into the cache on first use.

    Raises:
        WeightsNotFound: if it cannot be fetched, or is not what was asked for.
    """
    path = _ask_hub(place, hub.repo, lambda: _download_file(place, hub))
    digest = WeightsFile.at(path).digest
    if digest != hub.sha256:
        raise WeightsNotFound(f"{path} is damaged (sha256 {digest}, not {hub.sha256}); delete it and start again")
    return path


def fetch_folder(place: WeightsPlace, repo: str, revision: str | None) -> Path:
    """A model's folder of the hub: descriptions and one kind of weights, fetched on first use.

    What was fetched once is used from then on without asking the hub, so that vectors do not change when the model's
    authors change it.

    Raises:
        WeightsNotFound: if it cannot be fetched.
    """
    # Written when everything is there: a snapshot that was interrupted has no mark. It says where from here, so that
    # the cache can be carried to a machine without a network.
    where = place.cache / "hub"
    mark = where / f"{repo}@{revision or 'main'}".replace("/", "--")
    if mark.is_file() and (folder := where / mark.read_text("utf-8")).is_dir():
        return folder
    folder = _ask_hub(place, repo, lambda: _download_folder(place, repo, revision))
    partial = mark.with_name(f"{mark.name}.{uuid4().hex}.partial")
    partial.write_text(os.path.relpath(folder, where), "utf-8")
    partial.replace(mark)
    return folder


def wanted_files(names: list[str]) -> list[str]:
    """Of a repository's files, those to fetch: descriptions, and in each folder the best kind of weights."""
    folders = sorted({name.rpartition("/")[0] for name in names})
    best = (_best_weights([name for name in names if name.rpartition("/")[0] == folder]) for folder in folders)
    described = [name for name in names if name.endswith(DESCRIPTIONS)]
    weights = [name for name in best if name]
    # Ready-made graphs only where there is nothing to convert: they come in many precisions.
    return described + (weights or [name for name in names if name.endswith(_GRAPHS)])


def _best_weights(names: list[str]) -> str:
    found = {name.rpartition("/")[2]: name for name in names}
    return next((found[name] for name in usual_names(found) if name in found), "")


def _download_file(place: WeightsPlace, hub: HubFile) -> Path:
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 -- an optional extra

    where = place.cache / "hub"
    found = hf_hub_download(
        hub.repo, hub.filename, revision=hub.revision, cache_dir=where, local_files_only=place.offline
    )
    return Path(found)


def _download_folder(place: WeightsPlace, repo: str, revision: str | None) -> Path:
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415 -- an optional extra

    where = place.cache / "hub"
    if place.offline:
        raise OSError(f"it was not fetched into {where} before")
    info = HfApi().model_info(repo, revision=revision)
    names = [file.rfilename for file in info.siblings or []]
    return Path(snapshot_download(repo, revision=info.sha, cache_dir=where, allow_patterns=wanted_files(names)))


def _ask_hub(place: WeightsPlace, repo: str, download: Callable[[], Result]) -> Result:
    try:
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError  # noqa: PLC0415 -- as below
    except ImportError as error:
        raise WeightsNotFound(
            f"fetching {repo} needs the hub client: pip install 'vecmod[hub]', "
            "or mount the weights and name them in VECMOD_MODEL_PATH"
        ) from error
    # Its bases are OSError and the error of the HTTP library underneath, which was replaced twice already.
    network = [base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)]
    faults: tuple[type[Exception], ...] = (*network, HFValidationError, LocalEntryNotFoundError, OSError)
    try:
        return download()
    except faults as error:
        if place.offline:
            raise WeightsNotFound(
                f"VECMOD_OFFLINE forbids fetching {repo}, and {place.cache} does not have it; mount the weights "
                "and name them in VECMOD_MODEL_PATH, or choose a built-in model with MODEL_NAME"
            ) from error
        raise WeightsNotFound(
            f"{repo} could not be fetched ({type(error).__name__}: {error}); check name and network, "
            "or mount the weights and name them in VECMOD_MODEL_PATH"
        ) from error
