"""Finding and reading weights: a mounted file or folder. The one door to safetensors."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
from numpy.typing import NDArray

from vecmod.serving.engine.network import AnyNetwork, ConvertedGraph, Network, TrainedNetwork, Weights
from vecmod.serving.model.torch_file import EVERY, UnreadableWeights, read_torch_file, widen_bfloat16

SAFETENSORS = ".safetensors"
TORCH_SUFFIXES = (".pth", ".pt", ".bin")
ONNX = ".onnx"
# As transformers and sentence-transformers name them, and as open_clip does; best first.
WEIGHTS_NAMES = ("model.safetensors", "pytorch_model.bin")
OPEN_CLIP_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
OPEN_CLIP_CONFIG = "open_clip_config.json"
# What describes a model and its tokenizer.
DESCRIPTIONS = (".json", ".txt", ".model")
# Stands in a converted folder for the weights file, and says which it was.
STAND_IN = "converted.json"
# Best first: safetensors can hold nothing but tensors.
_TENSORS = (SAFETENSORS, *TORCH_SUFFIXES)
_SUFFIXES = (ONNX, *_TENSORS)
_BFLOAT16 = "BF16"
# safetensors' names.
_DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "U8": np.uint8}


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
class TensorSource:
    """Where the weights of a network come from.

    Attributes:
        digest: of all files that they are read from.
        load: reads them, under the names that the network uses.
    """

    digest: str
    load: Callable[[], Weights]

    def text_network(self, name: str, network: Network, dim: int) -> TrainedNetwork:
        """A network that reads ids ``[n, length]`` of any length."""
        return TrainedNetwork(name, network, ("length",), dim, self.digest, self.load, input_type="int64")

    def image_network(self, name: str, network: Network, side: int, dim: int) -> TrainedNetwork:
        """A network that reads pixels ``[n, 3, side, side]``."""
        return TrainedNetwork(name, network, (3, side, side), dim, self.digest, self.load)


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

    def tensors(
        self, rename: Callable[[Weights], Weights] | None = None, prefixes: tuple[str, ...] = EVERY
    ) -> TensorSource:
        """Its tensors whose names begin so, under other names if wanted."""
        if rename is None:
            return TensorSource(self.digest, lambda: read_weights(self.path, prefixes))
        return TensorSource(self.digest, lambda: NamedTensors(self.path, rename(read_weights(self.path, prefixes))))

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


def network_of(file: WeightsFile, name: str, network: Network, input_shape: tuple[int, ...], dim: int) -> AnyNetwork:
    """The network with the weights of a file, or the graph that was converted from it earlier."""
    if file.path.suffix == ONNX:
        return ConvertedGraph(name, file.path, input_shape, dim)
    return TrainedNetwork(name, network, input_shape, dim, file.digest, lambda: read_weights(file.path))


def find_tensors(folder: Path, *names: str) -> WeightsFile:
    """The file of a model folder that holds its tensors: the first of the usual names, or the only one of its kind.

    What is no folder must be that file itself.

    Raises:
        WeightsNotFound: if there is none, or several of a kind.
    """
    if not folder.is_dir():
        return WeightsFile.at(_local_file(folder, _TENSORS))
    if (folder / STAND_IN).is_file():
        said = _stand_in(folder)
        return WeightsFile(folder / said["file"], said["sha256"])
    for name in names or usual_names(file.name for file in folder.iterdir()):
        if (folder / name).is_file():
            return WeightsFile.at(folder / name)
    return WeightsFile.at(_local_file(folder, _TENSORS))


def usual_names(there: Iterable[str]) -> tuple[str, ...]:
    """What the weights of a folder with these files may be called, best first.

    Where open_clip's configuration is, its weights are the model; beside them timm keeps the picture tower alone.
    """
    if OPEN_CLIP_CONFIG in there:
        return (*OPEN_CLIP_NAMES, *WEIGHTS_NAMES)
    return (*WEIGHTS_NAMES, *OPEN_CLIP_NAMES)


def tensor_names(folder: Path) -> set[str]:
    """The names of the weights files directly in a folder, and of the one that something stands in for."""
    there = {path.name for path in folder.iterdir() if path.suffix in _TENSORS}
    return there | ({_stand_in(folder)["file"]} if (folder / STAND_IN).is_file() else set())


def _stand_in(folder: Path) -> dict[str, str]:
    said: dict[str, str] = json.loads((folder / STAND_IN).read_text("utf-8"))
    return said


def _local_file(path: Path, suffixes: tuple[str, ...] = _SUFFIXES) -> Path:
    if path.is_file():
        if path.suffix not in suffixes:
            raise WeightsNotFound(f"VECMOD_MODEL_PATH={path} is not a weights file: one of {', '.join(suffixes)}")
        return path
    if not path.is_dir():
        raise WeightsNotFound(f"VECMOD_MODEL_PATH={path} does not exist; is the volume mounted?")
    if any(path.glob("*.index.json")):
        raise WeightsNotFound(f"{path} holds its weights in several files, which is not read here; save them as one")
    for suffix in suffixes:
        found = sorted(path.glob(f"*{suffix}"))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(file.name for file in found)
            raise WeightsNotFound(f"VECMOD_MODEL_PATH={path} holds several weights files ({names}); name one of them")
    raise WeightsNotFound(f"VECMOD_MODEL_PATH={path} holds no weights file ({', '.join(suffixes)})")


def read_weights(path: Path, prefixes: tuple[str, ...] = EVERY) -> NamedTensors:
    """The tensors of a weights file whose names begin with one of the prefixes, as float32 arrays by name.

    Raises:
        UnreadableWeights: if the file is damaged or holds anything but tensors.
    """
    read = read_torch_file if path.suffix in TORCH_SUFFIXES else _read_safetensors
    tensors = read(path, prefixes)
    return NamedTensors(path, {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()})


def _read_safetensors(path: Path, prefixes: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    try:
        with safetensors.safe_open(path, "np") as file:
            names = [name for name in file.keys() if name.startswith(prefixes)]  # noqa: SIM118 -- no mapping
            if all(file.get_slice(name).get_dtype() != _BFLOAT16 for name in names):
                return {name: file.get_tensor(name) for name in names}
        # The library's own way to numpy knows no bfloat16.
        stored = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
        chosen = ((name, tensor) for name, tensor in stored if name.startswith(prefixes))
        return {name: _array(tensor).reshape(tensor["shape"]) for name, tensor in chosen}
    except safetensors.SafetensorError as error:
        raise UnreadableWeights(f"{path} is not a safetensors file: {error}") from error
    except KeyError as error:
        raise UnreadableWeights(f"{path} has tensors of type {error}, which is not read here") from error


def _array(tensor: Mapping[str, Any]) -> NDArray[Any]:
    if tensor["dtype"] == _BFLOAT16:
        return widen_bfloat16(np.frombuffer(tensor["data"], np.uint16))
    return np.frombuffer(tensor["data"], _DTYPES[tensor["dtype"]])
