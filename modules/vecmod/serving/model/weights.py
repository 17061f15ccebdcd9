"""Finding and reading weights: a mounted file or folder, or the hub. The one door to the hub and to safetensors."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import load_file

from vecmod.serving.engine.network import AnyNetwork, ConvertedGraph, Network, TrainedNetwork
from vecmod.serving.model.torch_file import UnreadableWeights, read_torch_file

SAFETENSORS = ".safetensors"
TORCH_SUFFIXES = (".pth", ".pt", ".bin")
ONNX = ".onnx"
# Best first: safetensors can hold nothing but tensors.
_SUFFIXES = (ONNX, SAFETENSORS, *TORCH_SUFFIXES)


class WeightsNotFound(Exception):
    """There are no weights where they were looked for; the message says where to put them."""


@dataclass(frozen=True)
class WeightsPlace:
    """Where the operator lets weights come from.

    Attributes:
        path: a file or folder that holds them, or None.
        cache: folder for downloads and converted graphs.
        offline: True forbids every download.
    """

    path: Path | None
    cache: Path
    offline: bool


@dataclass(frozen=True)
class HubFile:
    """A file on the Hugging Face hub: pinned by commit, checked by its SHA-256."""

    repo: str
    filename: str
    revision: str
    sha256: str


class WeightsFile(NamedTuple):
    """A weights file that is there; ``digest`` is its SHA-256, hexadecimal."""

    path: Path
    digest: str

    @classmethod
    def at(cls, path: Path) -> "WeightsFile":
        """Read the file once for its digest.

        Raises:
            WeightsNotFound: if it cannot be read.
        """
        try:
            with path.open("rb") as file:
                return cls(path, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise WeightsNotFound(f"{path} cannot be read: {error.strerror}; may this process read it?") from error

    def revision(self) -> str:
        """Which weights these are, for people."""
        return f"{self.path.name} sha256 {self.digest[:16]}"


class NamedTensors(dict[str, NDArray[np.float32]]):
    """Tensors by name; one that is missing says whose file it is."""

    def __init__(self, path: Path, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        super().__init__(tensors)
        self._path = path

    def __missing__(self, name: str) -> NDArray[np.float32]:
        raise UnreadableWeights(f"{self._path} has no tensor {name}: these are the weights of another network")


def find_weights(place: WeightsPlace, otherwise: Callable[[], Path]) -> WeightsFile:
    """The weights file: the mounted one if a path is set, else another, such as a package's or the hub's.

    Raises:
        WeightsNotFound: if the path holds none.
    """
    return WeightsFile.at(_local_file(place.path) if place.path is not None else otherwise())


def fetch_weights(place: WeightsPlace, hub: HubFile) -> Path:
    """A file of the hub, downloaded into the cache on first use.

    Raises:
        WeightsNotFound: if it cannot be fetched, or is not what was asked for.
    """
    path = _download(place, hub)
    digest = WeightsFile.at(path).digest
    if digest != hub.sha256:
        raise WeightsNotFound(f"{path} is damaged (sha256 {digest}, not {hub.sha256}); delete it and start again")
    return path


def network_of(file: WeightsFile, name: str, network: Network, input_shape: tuple[int, ...], dim: int) -> AnyNetwork:
    """The network with the weights of a file, or the graph that was converted from it earlier."""
    if file.path.suffix == ONNX:
        return ConvertedGraph(name, file.path, input_shape, dim)
    return TrainedNetwork(name, network, input_shape, dim, file.digest, lambda: read_weights(file.path))


def find_tensors(folder: Path) -> Path:
    """The one file of a model folder that holds its tensors, safetensors before torch checkpoints.

    Raises:
        WeightsNotFound: if there is none, or several of a kind.
    """
    return _local_file(folder, (SAFETENSORS, *TORCH_SUFFIXES))


def _local_file(path: Path, suffixes: tuple[str, ...] = _SUFFIXES) -> Path:
    if path.is_file():
        if path.suffix not in suffixes:
            raise WeightsNotFound(f"VECMOD_MODEL_PATH={path} is not a weights file: one of {', '.join(suffixes)}")
        return path
    if not path.is_dir():
        raise WeightsNotFound(f"VECMOD_MODEL_PATH={path} does not exist; is the volume mounted?")
    for suffix in suffixes:
        found = sorted(path.glob(f"*{suffix}"))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(file.name for file in found)
            raise WeightsNotFound(f"VECMOD_MODEL_PATH={path} holds several weights files ({names}); name one of them")
    raise WeightsNotFound(f"VECMOD_MODEL_PATH={path} holds no weights file ({', '.join(suffixes)})")


def _download(place: WeightsPlace, hub: HubFile) -> Path:
    try:
        from huggingface_hub import hf_hub_download  # noqa: PLC0415 -- an optional extra
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise WeightsNotFound(
            f"fetching {hub.repo} needs the hub client: pip install 'vecmod[hub]', "
            "or mount the weights and name them in VECMOD_MODEL_PATH"
        ) from error
    try:
        file = hf_hub_download(
            hub.repo,
            hub.filename,
            revision=hub.revision,
            cache_dir=place.cache / "hub",
            local_files_only=place.offline,
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if place.offline:
            raise WeightsNotFound(
                f"VECMOD_OFFLINE forbids fetching {hub.repo}, and {place.cache} does not have it; mount the weights "
                "and name them in VECMOD_MODEL_PATH, or choose a built-in model with MODEL_NAME"
            ) from error
        raise WeightsNotFound(
            f"{hub.repo} could not be fetched ({type(error).__name__}: {error}); check the network, "
            "or mount the weights and name them in VECMOD_MODEL_PATH"
        ) from error
    return Path(file)


def read_weights(path: Path) -> NamedTensors:
    """All tensors of a weights file as float32 arrays by name.

    Raises:
        UnreadableWeights: if the file is damaged or holds anything but tensors.
    """
    if path.suffix in TORCH_SUFFIXES:
        tensors = read_torch_file(path)
    else:
        try:
            tensors = load_file(path)
        except safetensors.SafetensorError as error:
            raise UnreadableWeights(f"{path} is not a safetensors file: {error}") from error
    return NamedTensors(path, {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()})
