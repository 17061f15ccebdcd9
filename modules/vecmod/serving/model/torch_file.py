"""Reading torch checkpoints without torch and without running anything they contain.

A ``.pth`` file is a pickle with tensor storages beside it, either in a zip archive (torch >= 1.6) or one after
the other in one stream (older, "legacy"). The unpickler here knows six names and refuses every other, so a
hostile file cannot call anything; it reads what ``torch.load(..., weights_only=True)`` reads of plain state dicts.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype("V2"),  # two bytes that numpy has no number for; see widen_bfloat16
    "DoubleStorage": np.dtype("<f8"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}
# Prefixes of names: every name begins with nothing.
EVERY = ("",)
# First value of a legacy file, see torch/serialization.py.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
# What a zip archive begins with; the list of its files stands at its end.
_ZIP_MAGIC = b"PK\3\4"


class UnreadableWeights(Exception):
    """The file is not a weights file we can read; the message says why."""


def widen_bfloat16(halves: Array) -> NDArray[np.float32]:
    """bfloat16 numbers, which are the upper halves of float32 numbers, as those."""
    return (halves.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


class _Tensor:
    """A tensor whose storage is read later: legacy files put the data behind the pickle."""

    def __init__(
        self, key: str, dtype: np.dtype[Any], offset: int, size: tuple[int, ...], stride: tuple[int, ...]
    ) -> None:
        self.key = key
        self.dtype = dtype
        self.offset = offset
        self.size = size
        self.stride = stride

    def array(self, storage: bytes) -> Array:
        flat = np.frombuffer(storage, self.dtype)[self.offset :]
        flat = widen_bfloat16(flat) if self.dtype.kind == "V" else flat
        last = sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        if 0 not in self.size and last >= flat.size:
            raise UnreadableWeights(f"a tensor of shape {self.size} reaches beyond its storage")
        steps = [step * flat.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(flat, self.size, steps, writeable=False)


class _StorageType:
    def __init__(self, name: str) -> None:
        self.dtype = _DTYPES[name]


def _rebuild_tensor(
    storage: tuple[str, np.dtype[Any]], offset: int, size: Iterable[int], stride: Iterable[int], *_: object
) -> _Tensor:
    key, dtype = storage
    return _Tensor(key, dtype, offset, tuple(size), tuple(stride))


def _rebuild_parameter(data: _Tensor, *_: object) -> _Tensor:
    return data


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if module == "torch" and name in _DTYPES:
            return _StorageType(name)
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        }
        if (module, name) not in known:
            raise UnreadableWeights(f"refused to load {module}.{name}: only plain state dicts of tensors are read")
        return known[module, name]

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype[Any]]:  # noqa: ANN401 -- pickle's own signature
        _, storage_type, key, *_ = pid
        return str(key), storage_type.dtype


def read_torch_file(path: Path, prefixes: tuple[str, ...] = EVERY) -> dict[str, Array]:
    """The tensors of a state dict whose names begin with one of the prefixes, as read-only arrays by name.

    Of a zip archive nothing else is read: a file of many gigabytes may hold several networks.

    Raises:
        UnreadableWeights: if the file is damaged or holds anything but a state dict of tensors.
    """
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):
                return _read_zip(file, prefixes)
            file.seek(0)
            return _read_legacy(file, prefixes)
    except (
        pickle.UnpicklingError,
        EOFError,
        KeyError,
        IndexError,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:
        raise UnreadableWeights(f"{path} is not a torch checkpoint: {error}") from error
    except (zipfile.BadZipFile, UnreadableWeights) as error:
        raise UnreadableWeights(f"{path}: {error}") from error


def _read_zip(file: BufferedReader, prefixes: tuple[str, ...]) -> dict[str, Array]:
    with zipfile.ZipFile(file) as archive:
        index = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        folder = index.removesuffix("data.pkl")
        with archive.open(index) as stream:
            tensors = _named(_Unpickler(stream).load())
        chosen = {name: tensor for name, tensor in tensors.items() if name.startswith(prefixes)}
        return {name: tensor.array(archive.read(f"{folder}data/{tensor.key}")) for name, tensor in chosen.items()}


def _read_legacy(file: BufferedReader, prefixes: tuple[str, ...]) -> dict[str, Array]:
    if file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC:
        raise UnreadableWeights("the file is cut off; fetch it again")
    file.seek(0)
    if _Unpickler(file).load() != _LEGACY_MAGIC:
        raise UnreadableWeights("the legacy header is missing")
    for _ in ("protocol", "system"):
        _Unpickler(file).load()
    tensors = _named(_Unpickler(file).load())
    dtypes = {tensor.key: tensor.dtype for tensor in tensors.values()}
    storages = {str(key): _legacy_storage(file, dtypes.get(str(key))) for key in _Unpickler(file).load()}
    chosen = {name: tensor for name, tensor in tensors.items() if name.startswith(prefixes)}
    return {name: tensor.array(storages[tensor.key]) for name, tensor in chosen.items()}


def _legacy_storage(file: IO[bytes], dtype: np.dtype[Any] | None) -> bytes:
    if dtype is None:
        raise UnreadableWeights("a storage belongs to no tensor")
    elements = int.from_bytes(file.read(8), "little")
    return file.read(elements * dtype.itemsize)


def _named(loaded: object) -> dict[str, _Tensor]:
    """The state dict itself, also where it lies under the key ``state_dict``; other entries are not weights."""
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict):
        raise UnreadableWeights("it holds no state dict")
    return {str(name): value for name, value in loaded.items() if isinstance(value, _Tensor)}
