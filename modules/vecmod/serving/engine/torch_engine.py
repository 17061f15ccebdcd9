"""The torch engine: GPUs, and the yardstick on CPUs. The one door to ``torch``."""

import numpy as np
import torch
from torch.nn import functional

from vecmod.serving.engine.engine import EngineUnavailable, FloatArray, Inputs, Split
from vecmod.serving.engine.network import AnyNetwork, Gelu, TrainedNetwork, Weights


class TorchOps:
    """Runs operations on tensors of one device."""

    def __init__(self, weights: Weights, device: torch.device) -> None:
        self._weights = _Tensors(weights, device)

    def conv(
        self,
        x: torch.Tensor,
        name: str,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        *,
        depthwise: bool = False,
        bias: bool = False,
    ) -> torch.Tensor:
        """Run a convolution."""
        weight = self._weights[f"{name}.weight"]
        added = self._weights[f"{name}.bias"] if bias else None
        before, after = padding
        if before != after:
            x = functional.pad(x, (before, after, before, after))
            before = 0
        groups = weight.shape[0] if depthwise else 1
        return functional.conv2d(x, weight, added, stride=stride, padding=before, groups=groups)

    def batch_norm(self, x: torch.Tensor, name: str, eps: float) -> torch.Tensor:
        """Run a batch normalisation."""
        mean, var, weight, bias = (
            self._weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, var, weight, bias, eps=eps)

    def forget_others(self) -> None:
        """Free the weights that no operation has used."""
        self._weights.forget_others()

    def relu(self, x: torch.Tensor, ceiling: float | None = None) -> torch.Tensor:
        """Run a rectifier."""
        return functional.relu(x) if ceiling is None else functional.hardtanh(x, 0.0, ceiling)

    def max_pool(self, x: torch.Tensor, kernel: int, stride: int, padding: int) -> torch.Tensor:
        """Run a maximum pooling."""
        return functional.max_pool2d(x, kernel, stride, padding)

    def add(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Run a sum."""
        return a + b

    def multiply(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Run a product."""
        return x * self._weights[name]

    def unit(self, x: torch.Tensor) -> torch.Tensor:
        """Run the scaling to length 1."""
        return functional.normalize(x, dim=-1, eps=1e-12)

    def global_average_pool(self, x: torch.Tensor) -> torch.Tensor:
        """Run the mean over height and width."""
        return x.mean(dim=(2, 3))

    def linear(self, x: torch.Tensor, name: str, *, bias: bool = True) -> torch.Tensor:
        """Run a linear layer."""
        return functional.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"] if bias else None)

    def layer_norm(self, x: torch.Tensor, name: str, eps: float) -> torch.Tensor:
        """Run a layer normalisation."""
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias, eps)

    def gelu(self, x: torch.Tensor, kind: Gelu) -> torch.Tensor:
        """Run the activation."""
        if kind is Gelu.QUICK:
            return x * torch.sigmoid(1.702 * x)
        return functional.gelu(x, approximate="tanh" if kind is Gelu.TANH else "none")

    def softmax(self, x: torch.Tensor) -> torch.Tensor:
        """Run a softmax."""
        return x.softmax(dim=-1)

    def embed(self, ids: torch.Tensor, name: str) -> torch.Tensor:
        """Look up rows."""
        return functional.embedding(ids, self._weights[f"{name}.weight"])

    def add_rows(self, x: torch.Tensor, name: str, start: int = 0) -> torch.Tensor:
        """Add positions."""
        return x + self._weights[f"{name}.weight"][start : start + x.shape[1]]

    def patches(self, x: torch.Tensor) -> torch.Tensor:
        """Turn places into tokens."""
        return x.flatten(2).transpose(1, 2)

    def prepend(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Put a learned token first."""
        return torch.cat((self.learned_token(x, name), x), dim=1)

    def learned_token(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Repeat a learned token for each item."""
        return self._weights[name].reshape(1, 1, -1).expand(x.shape[0], 1, -1)

    def attention(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        heads: int,
        mask: torch.Tensor | None = None,
        *,
        causal: bool = False,
    ) -> torch.Tensor:
        """Run the attention."""
        query, key, value = (_split(part, heads) for part in (query, key, value))
        allowed = None if mask is None else mask[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed, is_causal=causal)
        return mixed.transpose(1, 2).flatten(2)

    def counting(self, ids: torch.Tensor, pad_id: int) -> torch.Tensor:
        """Find where something other than padding stands here or behind."""
        return (ids != pad_id).flip(1).cumsum(dim=1).flip(1) > 0

    def first_token(self, x: torch.Tensor) -> torch.Tensor:
        """Take the first token."""
        return x[:, 0]

    def last_token(self, x: torch.Tensor) -> torch.Tensor:
        """Take the last token."""
        return x[:, -1]

    def token_at(self, x: torch.Tensor, ids: torch.Tensor, value: int | None) -> torch.Tensor:
        """Take the token at an id."""
        places = (ids if value is None else (ids == value).int()).argmax(dim=1)
        return x[torch.arange(x.shape[0], device=x.device), places]

    def mean_token(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Average the tokens that count."""
        weights = mask.unsqueeze(-1).to(x.dtype)
        return (x * weights).sum(dim=1) / weights.sum(dim=1)

    def top_rows(self, x: torch.Tensor, name: str, count: int) -> torch.Tensor:
        """Sum the rows that weigh most."""
        values, places = x.topk(count, dim=-1)
        return (values.unsqueeze(-1) * self._weights[f"{name}.weight"][places]).sum(dim=1)


class _Tensors(dict[str, torch.Tensor]):
    """Weights on a device, each when it is first asked for: a file may hold those of other towers too."""

    def __init__(self, weights: Weights, device: torch.device) -> None:
        super().__init__()
        self._source = weights
        self._device = device

    def __missing__(self, name: str) -> torch.Tensor:
        tensor = self[name] = torch.tensor(self._source[name], device=self._device)
        return tensor

    def forget_others(self) -> None:
        """Free what was not asked for."""
        self._source = {}


def _split(x: torch.Tensor, heads: int) -> torch.Tensor:
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


class TorchEngine:
    """A network on torch tensors, fp32."""

    name = "torch"
    precision = "fp32"

    def __init__(self, network: TrainedNetwork, device: str, split: Split) -> None:
        self.device = device
        self.split = split
        self._device = torch.device(device)
        self._network = network.network
        self._ops = TorchOps(network.load(), self._device)
        torch.set_num_threads(split.threads)
        self.run(_blank(network))
        self._ops.forget_others()

    def run(self, batch: Inputs) -> FloatArray:
        """Vectors float32 ``[n, dim]``."""
        try:
            with torch.inference_mode():
                output = self._network(self._ops, torch.from_numpy(batch).to(self._device))
        except RuntimeError as error:
            raise EngineUnavailable(f"torch cannot run the network: {error}") from error
        vectors: FloatArray = output.cpu().numpy()
        return vectors

    def close(self) -> None:
        """Free the weights."""
        del self._ops


def _blank(network: TrainedNetwork) -> Inputs:
    """One input of zeros; a length that is free is 2."""
    shape = [length if isinstance(length, int) else 2 for length in network.input_shape]
    return np.zeros((1, *shape), network.input_type)


def load_torch(network: AnyNetwork, device: str, split: Split) -> TorchEngine:
    """Load a network on a device such as ``cpu`` or ``cuda:0``.

    Raises:
        EngineUnavailable: if the device is not there or the model came as an ONNX graph.
    """
    if not isinstance(network, TrainedNetwork):
        raise EngineUnavailable(f"{network.path} is an ONNX graph; the torch engine needs weights: VECMOD_ENGINE=onnx")
    try:
        torch.device(device)
    except RuntimeError as error:
        raise EngineUnavailable(f"CUDA_CORE={device} is no device: write cuda, cuda:0, cuda:1, ...") from error
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise EngineUnavailable(
            f"ENABLE_CUDA asks for {device}, but torch {torch.__version__} sees no CUDA device; "
            "give the container a GPU (docker run --gpus all) or unset ENABLE_CUDA"
        )
    return TorchEngine(network, device, split)
