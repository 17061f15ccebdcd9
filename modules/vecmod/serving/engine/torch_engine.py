"""The torch engine: GPUs, and the yardstick on CPUs. The one door to ``torch``."""

import torch
from torch.nn import functional

from vecmod.serving.engine.engine import EngineUnavailable, FloatArray
from vecmod.serving.engine.network import AnyNetwork, ConvertedGraph, TrainedNetwork, Weights


class TorchOps:
    """Runs operations on tensors of one device."""

    def __init__(self, weights: Weights, device: torch.device) -> None:
        self._weights = {key: torch.tensor(value, device=device) for key, value in weights.items()}

    def conv(
        self,
        x: torch.Tensor,
        name: str,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        *,
        depthwise: bool = False,
    ) -> torch.Tensor:
        """Run a convolution."""
        weight = self._weights[f"{name}.weight"]
        before, after = padding
        if before != after:
            x = functional.pad(x, (before, after, before, after))
            before = 0
        return functional.conv2d(x, weight, stride=stride, padding=before, groups=weight.shape[0] if depthwise else 1)

    def batch_norm(self, x: torch.Tensor, name: str, eps: float) -> torch.Tensor:
        """Run a batch normalisation."""
        mean, var, weight, bias = (
            self._weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, var, weight, bias, eps=eps)

    def relu(self, x: torch.Tensor, ceiling: float | None = None) -> torch.Tensor:
        """Run a rectifier."""
        return functional.relu(x) if ceiling is None else functional.hardtanh(x, 0.0, ceiling)

    def max_pool(self, x: torch.Tensor, kernel: int, stride: int, padding: int) -> torch.Tensor:
        """Run a maximum pooling."""
        return functional.max_pool2d(x, kernel, stride, padding)

    def add(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Run a sum."""
        return a + b

    def global_average_pool(self, x: torch.Tensor) -> torch.Tensor:
        """Run the mean over height and width."""
        return x.mean(dim=(2, 3))


class TorchEngine:
    """A network on torch tensors, fp32."""

    name = "torch"
    precision = "fp32"

    def __init__(self, network: TrainedNetwork, device: str, threads: int) -> None:
        self.device = device
        self.threads = threads
        self._device = torch.device(device)
        self._network = network.network
        self._ops = TorchOps(network.load(), self._device)
        torch.set_num_threads(threads)

    def run(self, batch: FloatArray) -> FloatArray:
        """Vectors float32 ``[n, dim]``."""
        with torch.inference_mode():
            output = self._network(self._ops, torch.from_numpy(batch).to(self._device))
        vectors: FloatArray = output.cpu().numpy()
        return vectors

    def close(self) -> None:
        """Free the weights."""
        del self._ops


def load_torch(network: AnyNetwork, device: str, threads: int) -> TorchEngine:
    """Load a network on a device such as ``cpu`` or ``cuda:0``.

    Raises:
        EngineUnavailable: if the device is not there or the model came as an ONNX graph.
    """
    if isinstance(network, ConvertedGraph):
        raise EngineUnavailable(f"{network.path} is an ONNX graph; the torch engine needs weights: VECMOD_ENGINE=onnx")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise EngineUnavailable(
            f"ENABLE_CUDA asks for {device}, but torch {torch.__version__} sees no CUDA device; "
            "give the container a GPU (docker run --gpus all) or unset ENABLE_CUDA"
        )
    return TorchEngine(network, device, threads)
