"""Bodies of ``POST /vectors`` (one item) and ``POST /vectorize`` (lists by modality).

Both equal what Weaviate's modules send and read; keys a service does not know are ignored, as the official
containers do.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from vecmod.contract.modality import MODALITIES, Modality

# A 2x2 picture, small enough to read, real enough to be sent to a running service.
EXAMPLE_IMAGE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGM4IScnd0KOQU7uxJ07dwAfngWhY/bi4gAAAABJRU5ErkJggg=="
)

# Characters of an id; it comes back in the answer, and answers that nobody reads must not take much memory.
MAX_ID = 4096
WARNINGS = "one sentence for each text that was longer than the model reads; absent if there is none"


class VectorRequest(BaseModel):
    """One item: media are base64 (standard or URL-safe, data URI prefix and line breaks allowed).

    Or http and https URLs, of hosts that the operator allowed.
    """

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "anyOf": [{"required": [modality.name]} for modality in MODALITIES],
            "examples": [
                {"id": "8d5a3aa2-3c8d-4589-9ae1-3f638f506970_0", "image": EXAMPLE_IMAGE},
                {"image": f"data:image/png;base64,{EXAMPLE_IMAGE}"},
            ],
        },
    )

    id: Annotated[StrictStr, Field(max_length=MAX_ID)] | StrictInt = Field(
        default="", description="echoed in the answer, used for nothing else"
    )
    text: str | None = None
    image: str | None = None
    audio: str | None = None
    video: str | None = None
    imu: str | None = None
    thermal: str | None = None
    depth: str | None = None
    weights: dict[str, float] | None = Field(
        default=None, description="of the modalities, by name; several modalities give their weighted mean"
    )

    def inputs(self) -> list[tuple[Modality, str]]:
        """The modalities that are present, in wire order, with their values."""
        values = [(modality, getattr(self, modality.name)) for modality in MODALITIES]
        return [(modality, value) for modality, value in values if value is not None]


class VectorResponse(BaseModel):
    """One vector of ``dim`` float32 numbers."""

    id: str = ""
    vector: list[float]
    dim: int
    warnings: list[str] | None = Field(default=None, description=WARNINGS)


# The first fault of a list is enough: describing millions of them would take gigabytes.
Values = Annotated[list[str], Field(fail_fast=True)]


class VectorizeRequest(BaseModel):
    """Lists by modality; absent, ``null`` and empty lists are equal."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"images": [EXAMPLE_IMAGE, EXAMPLE_IMAGE]}, {}]},
    )

    texts: Values | None = None
    images: Values | None = None
    audio: Values | None = None
    video: Values | None = None
    imu: Values | None = None
    thermal: Values | None = None
    depth: Values | None = None

    def inputs(self) -> list[tuple[Modality, list[str]]]:
        """Every modality in wire order with its values, empty where there are none."""
        return [(modality, getattr(self, modality.plural) or []) for modality in MODALITIES]


class VectorizeResponse(BaseModel):
    """One list for each modality the service has, one vector for each input, in the order of the inputs."""

    model_config = ConfigDict(populate_by_name=True)

    text_vectors: list[list[float]] | None = Field(default=None, alias="textVectors")
    image_vectors: list[list[float]] | None = Field(default=None, alias="imageVectors")
    audio_vectors: list[list[float]] | None = Field(default=None, alias="audioVectors")
    video_vectors: list[list[float]] | None = Field(default=None, alias="videoVectors")
    imu_vectors: list[list[float]] | None = Field(default=None, alias="imuVectors")
    thermal_vectors: list[list[float]] | None = Field(default=None, alias="thermalVectors")
    depth_vectors: list[list[float]] | None = Field(default=None, alias="depthVectors")
    warnings: list[str] | None = Field(default=None, description=WARNINGS)


def examples_of(body: type[BaseModel]) -> list[Any]:
    """The example bodies of a request type, as shown in the OpenAPI document."""
    extra = body.model_config.get("json_schema_extra")
    examples = extra.get("examples") if isinstance(extra, dict) else None
    return list(examples) if isinstance(examples, list) else []
