"""Body of ``GET /meta``: what this service really is and does."""

from pydantic import BaseModel, ConfigDict, Field


class EngineMeta(BaseModel):
    """The runtime in use; where modalities differ, that of the first."""

    name: str
    device: str
    precision: str
    threads: int
    streams: int = Field(default=1, description="runs at once, each of so many threads")
    max_batch: int
    measured: dict[str, float] = Field(
        default_factory=dict,
        description="inputs a second of what was tried at the first start: engine, streams, threads",
    )


class LimitsMeta(BaseModel):
    """What a request may ask for; beyond it the answer is 413 or 503."""

    max_body_bytes: int
    max_items: int
    max_pixels: int
    max_aspect: int
    max_audio_seconds: int
    max_video_seconds: int
    max_video_pixels: int
    max_video_frames: int
    max_imu_rows: int
    max_requests: int
    urls: bool = Field(default=False, description="whether media may be URLs; which, the operator decides")


class ModelMeta(BaseModel):
    """The model in use; absent from ``/meta`` until it is loaded."""

    family: str
    revision: str
    licence: str
    modalities: list[str]
    dimensions: dict[str, int]
    normalized: bool
    preprocessing: str
    engine: EngineMeta
    official: dict[str, str | int] = Field(default_factory=dict, exclude=True)


class MetaResponse(BaseModel):
    """The whole of ``GET /meta``, and beside it whatever the official container says of the model."""

    model_config = ConfigDict(extra="allow")

    service: str
    model: str
    state: str
    details: ModelMeta | None = None
    limits: LimitsMeta
    versions: dict[str, str]
