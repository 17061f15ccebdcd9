"""ResNet50 as the official img2vec container runs it: torchvision's IMAGENET1K_V1 weights, pooled features."""

from vecmod.serving.engine.network import Network, Ops, Tensor
from vecmod.serving.model.hub import HubFile, fetch_weights
from vecmod.serving.model.recipe import Recipe, Tower
from vecmod.serving.model.transforms import Channels, Filter, ImageSteps
from vecmod.serving.model.weights import WeightsPlace, find_weights, network_of

# The same tensors under the same names as torchvision's resnet50-0676ba61.pth, as safetensors (98 MiB).
_HUB = HubFile(
    repo="timm/resnet50.tv_in1k",
    filename="model.safetensors",
    revision="78f3ecfdb38e06d9b8397f662e7ab8fee96026fa",
    sha256="5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888",
)
_SIZE = 224
_EPS = 1e-5  # torch.nn.BatchNorm2d's default, which torchvision keeps
_BLOCKS = (3, 4, 6, 3)

# The whole picture is squashed to a square, without a centre crop: not torchvision's usual transform, but the
# one whose vectors people have stored.
_STEPS = ImageSteps(
    size=_SIZE,
    filter=Filter.BILINEAR,
    center_crop=None,
    divisor=255.0,
    mean=Channels(0.485, 0.456, 0.406),
    std=Channels(0.229, 0.224, 0.225),
)


def resnet50(place: WeightsPlace) -> Recipe:
    """ResNet50: 2048 pooled features, not normalised (He et al. 2015, arXiv:1512.03385; torchvision's variant).

    Raises:
        WeightsNotFound: if there are no weights in the place and none can be fetched.
    """
    file = find_weights(place, lambda: fetch_weights(place, _HUB))
    network = network_of(file, "resnet50", _features, input_shape=(3, _SIZE, _SIZE), dim=2048)
    return Recipe(
        name="resnet50",
        revision=file.revision(),
        licence="BSD-3-Clause",
        towers={"image": Tower(_STEPS, network)},
        normalized=False,
        best_batch=8,
    )


def _features(ops: Ops[Tensor], x: Tensor) -> Tensor:
    x = ops.relu(ops.batch_norm(ops.conv(x, "conv1", stride=2, padding=(3, 3)), "bn1", _EPS))
    x = ops.max_pool(x, kernel=3, stride=2, padding=1)
    for stage, blocks in enumerate(_BLOCKS, start=1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _bottleneck(ops, x, f"layer{stage}.{block}", stride, first=block == 0)
    return ops.global_average_pool(x)


def _bottleneck(ops: Ops[Tensor], x: Tensor, name: str, stride: int, *, first: bool) -> Tensor:
    """The variant "v1.5": the 3x3 convolution carries the stride."""
    y = ops.relu(ops.batch_norm(ops.conv(x, f"{name}.conv1"), f"{name}.bn1", _EPS))
    y = ops.relu(ops.batch_norm(ops.conv(y, f"{name}.conv2", stride, (1, 1)), f"{name}.bn2", _EPS))
    y = ops.batch_norm(ops.conv(y, f"{name}.conv3"), f"{name}.bn3", _EPS)
    if first:
        x = ops.batch_norm(ops.conv(x, f"{name}.downsample.0", stride), f"{name}.downsample.1", _EPS)
    return ops.relu(ops.add(y, x))


_: Network = _features
