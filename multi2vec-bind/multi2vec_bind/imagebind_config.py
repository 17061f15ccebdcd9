"""ImageBind's configuration, and what it says about each modality."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, PositiveInt, ValidationError, model_validator

from vecmod.serving.model.weights import WeightsNotFound

Shape = tuple[int, ...]

CONTEXT = 77
VOCABULARY = 49408
_SIDE = 224
# Sound and motion have a size of their own; of the latter no number can be chosen.
_STEPS, _SENSORS, _WINDOW = 2000, 6, 8


@dataclass(frozen=True)
class Trunk:
    """The transformer of a modality.

    Attributes:
        modality: the authors' name of it.
        dim: channels of a token.
        blocks: layers.
        heads: of attention; they cannot be seen in the weights.
    """

    modality: str
    dim: int
    blocks: int
    heads: int

    def part(self, kind: str, name: str) -> str:
        """Name of a tensor, or of what it belongs to: ``kind`` is preprocessors, trunks, heads or postprocessors."""
        return f"modality_{kind}.{self.modality}.{name}"


@dataclass(frozen=True)
class Patches:
    """How an input becomes tokens: cut into patches, each of them projected.

    Attributes:
        projection: name of the weight's layer.
        norm: name of the normalisation of the patches, if they are normalised.
        stored: shape of that weight behind its first axis, as the authors publish it.
        kernel: the same numbers as those of a two-dimensional convolution: channels, height, width.
        stride: of the convolution.
        input_shape: channels, height, width.
        positions: name of the positions, the first of which is that of the learned token.
    """

    projection: str
    norm: str | None
    stored: Shape
    kernel: Shape
    stride: int
    input_shape: Shape
    positions: str = "pos_embedding_helper.pos_embed"

    def count(self) -> int:
        """Tokens, with the learned one before the patches."""
        places = zip(self.input_shape[1:], self.kernel[1:], strict=True)
        return 1 + prod((length - kernel) // self.stride + 1 for length, kernel in places)


def _gray(stem: str, kernel: int, stride: int, input_shape: Shape) -> Patches:
    return Patches(f"{stem}.proj", f"{stem}.norm_layer", (1, kernel, kernel), (1, kernel, kernel), stride, input_shape)


class Config(BaseModel, frozen=True):
    """What the authors' constructor takes and their ``config.json`` says, with the constructor's defaults.

    What matters in training alone is left out.
    """

    out_embed_dim: PositiveInt = 768
    video_frames: Literal[2] = 2
    kernel_size: tuple[Literal[2], PositiveInt, PositiveInt] = (2, 14, 14)
    vision_embed_dim: PositiveInt = 1024
    vision_num_blocks: PositiveInt = 24
    vision_num_heads: PositiveInt = 16
    text_embed_dim: PositiveInt = 768
    text_num_blocks: PositiveInt = 12
    text_num_heads: PositiveInt = 12
    audio_embed_dim: PositiveInt = 768
    audio_num_blocks: PositiveInt = 12
    audio_num_heads: PositiveInt = 12
    audio_kernel_size: PositiveInt = 16
    audio_stride: PositiveInt = 10
    audio_num_mel_bins: PositiveInt = 128
    audio_target_len: PositiveInt = 204
    depth_embed_dim: PositiveInt = 384
    depth_num_blocks: PositiveInt = 12
    depth_num_heads: PositiveInt = 8
    depth_kernel_size: PositiveInt = 16
    thermal_embed_dim: PositiveInt = 768
    thermal_num_blocks: PositiveInt = 12
    thermal_num_heads: PositiveInt = 12
    thermal_kernel_size: PositiveInt = 16
    imu_embed_dim: PositiveInt = 512
    imu_num_blocks: PositiveInt = 6
    imu_num_heads: PositiveInt = 8

    def trunks(self) -> dict[str, Trunk]:
        """The transformers by modality."""
        sizes = {
            "vision": (self.vision_embed_dim, self.vision_num_blocks, self.vision_num_heads),
            "text": (self.text_embed_dim, self.text_num_blocks, self.text_num_heads),
            "audio": (self.audio_embed_dim, self.audio_num_blocks, self.audio_num_heads),
            "depth": (self.depth_embed_dim, self.depth_num_blocks, self.depth_num_heads),
            "thermal": (self.thermal_embed_dim, self.thermal_num_blocks, self.thermal_num_heads),
            "imu": (self.imu_embed_dim, self.imu_num_blocks, self.imu_num_heads),
        }
        return {modality: Trunk(modality, *size) for modality, size in sizes.items()}

    def patches(self) -> dict[str, Patches]:
        """How the inputs become tokens, for all modalities but text."""
        frames, height, width = self.kernel_size
        bins, length = self.audio_num_mel_bins, self.audio_target_len
        return {
            # Two frames are twice the channels: all of red, all of green, all of blue.
            "vision": Patches(
                "rgbt_stem.proj.1",
                None,
                (3, frames, height, width),
                (3 * frames, height, width),
                height,
                (6, _SIDE, _SIDE),
            ),
            "audio": _gray("rgbt_stem", self.audio_kernel_size, self.audio_stride, (1, bins, length)),
            "depth": _gray("depth_stem", self.depth_kernel_size, self.depth_kernel_size, (1, _SIDE, _SIDE)),
            "thermal": _gray("rgbt_stem", self.thermal_kernel_size, self.thermal_kernel_size, (1, _SIDE, _SIDE)),
            # One row of pixels with a channel for each sensor.
            "imu": Patches(
                "imu_stem.proj",
                "imu_stem.norm_layer",
                (_SENSORS * _WINDOW,),
                (_SENSORS, 1, _WINDOW),
                _WINDOW,
                (_SENSORS, 1, _STEPS),
                "pos_embed",
            ),
        }

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kernel_size[1] != self.kernel_size[2]:
            raise ValueError(f"kernel_size: {list(self.kernel_size)}, but only square patches are read here")
        for trunk in self.trunks().values():
            if trunk.dim % trunk.heads:
                raise ValueError(f"{trunk.modality}_embed_dim {trunk.dim} cannot be shared among {trunk.heads} heads")
        for modality, stem in self.patches().items():
            if any(kernel > length for kernel, length in zip(stem.kernel, stem.input_shape, strict=True)):
                raise ValueError(f"{modality}: patches of {stem.kernel} do not fit into an input of {stem.input_shape}")
        return self


# imagebind_huge, the one model that its authors have published.
HUGE = Config(
    out_embed_dim=1024,
    vision_embed_dim=1280,
    vision_num_blocks=32,
    text_embed_dim=1024,
    text_num_blocks=24,
    text_num_heads=16,
)


def read_config(path: Path) -> Config:
    """The configuration in a JSON file; without the file, that of ``imagebind_huge``.

    Raises:
        WeightsNotFound: if it says what is not known here.
    """
    if not path.is_file():
        return HUGE
    try:
        return Config.model_validate_json(path.read_bytes())
    except ValidationError as error:
        said = "; ".join(": ".join([*map(str, one["loc"]), one["msg"]]) for one in error.errors())
        raise WeightsNotFound(f"{path} describes no ImageBind that can be read: {said}") from error
