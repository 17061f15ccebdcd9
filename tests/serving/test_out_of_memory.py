"""Which faults mean that a batch was too large: those that runtimes really raise, and no others."""

import numpy as np
import pytest
import torch

from vecmod.serving.engine.engine import EngineUnavailable
from vecmod.serving.flow.out_of_memory import is_out_of_memory


def test_what_numpy_and_torch_raise() -> None:
    with pytest.raises(MemoryError) as of_numpy:
        np.zeros((1 << 30, 1 << 20), np.float32)
    with pytest.raises(RuntimeError) as of_torch:
        torch.zeros((1 << 30, 1 << 20))
    assert is_out_of_memory(of_numpy.value)
    assert is_out_of_memory(of_torch.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."))


@pytest.mark.parametrize(
    "words",
    [
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code: std::bad_alloc",
        "while running Conv node: bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 4294967296",
    ],
)
def test_what_onnxruntime_says_as_our_engine_passes_it_on(words: str) -> None:
    assert is_out_of_memory(RuntimeError(words))
    wrapped = EngineUnavailable("onnxruntime cannot run the network")
    wrapped.__cause__ = RuntimeError(words)
    assert is_out_of_memory(wrapped)


def test_others_do_not() -> None:
    assert not is_out_of_memory(ValueError("shape mismatch: 3, 224, 224"))
    assert not is_out_of_memory(RuntimeError("invalid argument"))
