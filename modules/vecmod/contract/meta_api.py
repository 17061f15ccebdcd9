"""Body of ``GET /meta``: what this service really is and does."""

from pydantic import BaseModel, Field


class EngineMeta(BaseModel):
    """The runtime in use."""

    name: str
    device: str
    precision: str
    threads: int
    max_batch: int


class LimitsMeta(BaseModel):
    """What a request may ask for; beyond it the answer is 413 or 503."""

    max_body_bytes: int
    max_items: int
    max_pixels: int
    max_aspect: int
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


class MetaResponse(BaseModel):
    """The whole of ``GET /meta``."""

    service: str
    model: str
    state: str
    details: ModelMeta | None = None
    limits: LimitsMeta
    versions: dict[str, str]
