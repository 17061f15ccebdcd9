"""Every variable of a service: the only place in this wing where the environment is given a meaning."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from vecmod.contract.environment import read_settings, split_names
from vecmod.serving.cores import usable_cores
from vecmod.serving.media.limits import AudioLimits, ImageLimits, ImuLimits, MediaLimits, VideoLimits
from vecmod.serving.media.url_rules import UrlRules

MIB = 1024 * 1024


def _switch(value: object) -> object:
    """Weaviate's words for on, and their opposites; any other word is a mistake, not off."""
    if not isinstance(value, str):
        return value
    words = {"on": True, "enabled": True, "1": True, "true": True, "off": False, "disabled": False, "0": False}
    word = value.lower()
    if word not in words and word != "false":
        raise ValueError("write 1 or 0")
    return words.get(word, False)


def _enable_cuda(value: object) -> object:
    """The official containers' rule: exactly ``true`` or ``1``."""
    return value in ("true", "1") if isinstance(value, str) else value


Switch = Annotated[bool, BeforeValidator(_switch)]
CudaSwitch = Annotated[bool, BeforeValidator(_enable_cuda)]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(ge=0)]


def _check_urls(entries: tuple[str, ...]) -> tuple[str, ...]:
    UrlRules(entries)
    return entries


class ServiceSettings(BaseModel):
    """What an operator can set; names without our prefix are those of the official containers."""

    model_name: str = Field("", alias="MODEL_NAME", description="model to serve; empty: the service's default")
    clip_model_name: str = Field(
        "", alias="CLIP_MODEL_NAME", description="hub model for pictures; with TEXT_MODEL_NAME"
    )
    text_model_name: str = Field("", alias="TEXT_MODEL_NAME", description="hub model for texts; with CLIP_MODEL_NAME")
    open_clip_model_name: str = Field(
        "", alias="OPEN_CLIP_MODEL_NAME", description="architecture, as open_clip names it"
    )
    open_clip_pretrained: str = Field(
        "", alias="OPEN_CLIP_PRETRAINED", description="its weights, as open_clip names them"
    )
    siglip_model_name: str = Field("", alias="SIGLIP_MODEL_NAME", description="hub model of the kind SigLIP")
    colpali_model_name: str = Field("", alias="COLPALI_ENGINE_MODEL_NAME", description="refused: not read here")
    enable_cuda: CudaSwitch = Field(False, alias="ENABLE_CUDA", description="use a GPU: exactly true or 1")
    cuda_core: str = Field("cuda:0", alias="CUDA_CORE", description="torch device, if CUDA is on")

    host: str = Field("127.0.0.1", alias="VECMOD_HOST", description="address to listen on (containers: 0.0.0.0)")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8080, alias="VECMOD_PORT", description="0: any free port")
    model_path: Path | None = Field(None, alias="VECMOD_MODEL_PATH", description="file or folder with the weights")
    cache_dir: Path = Field(
        Path("~/.cache/vecmod"), alias="VECMOD_CACHE_DIR", description="downloads and converted graphs"
    )
    offline: Switch = Field(False, alias="VECMOD_OFFLINE", description="forbid every download of models")
    engine: Literal["auto", "onnx", "openvino", "torch"] = Field(
        "auto", alias="VECMOD_ENGINE", description="runtime; auto: of those installed the fastest, once measured"
    )
    threads: Positive | None = Field(
        None, alias="VECMOD_THREADS", description="threads in all; empty: one for each core"
    )
    streams: Positive | None = Field(
        None, alias="VECMOD_STREAMS", description="runs of the model at once, which share the threads; empty: measured"
    )
    precision: Literal["fp32", "int8"] = Field(
        "fp32",
        alias="VECMOD_PRECISION",
        description="of networks that see pictures; int8 is faster and changes vectors",
    )
    calibration: Path | None = Field(
        None,
        alias="VECMOD_CALIBRATION",
        description="folder with pictures like yours, to round int8 by; empty: samples",
    )
    max_batch: Positive | None = Field(
        None, alias="VECMOD_MAX_BATCH", description="items in one run; empty: the model's"
    )
    towers: Annotated[tuple[str, ...], BeforeValidator(split_names)] = Field(
        (), alias="VECMOD_TOWERS", description="modalities to serve, separated by commas; empty: all of the model's"
    )
    normalize: Switch | None = Field(
        None, alias="VECMOD_NORMALIZE", description="scale vectors to length 1; empty: as the official container does"
    )
    accept_noncommercial: Switch = Field(
        False, alias="VECMOD_ACCEPT_NONCOMMERCIAL", description="fetch weights that may not be used commercially"
    )
    imu_transpose: Switch = Field(
        False, alias="VECMOD_IMU_TRANSPOSE", description="columns of motion sensors as the model was trained on them"
    )
    official_long_texts: Switch = Field(
        False, alias="VECMOD_OFFICIAL_LONG_TEXTS", description="ImageBind: all long texts get one vector, as officially"
    )
    url_strings: Switch = Field(
        False, alias="VECMOD_URL_STRINGS", description="plain http(s) URL strings in /v1/embeddings are pictures"
    )
    api_token: str = Field("", alias="VECMOD_API_TOKEN", description="bearer token that POST requests must carry")
    max_body_mb: Positive = Field(128, alias="VECMOD_MAX_BODY_MB", description="size of one request, MiB")
    max_in_flight_mb: Positive = Field(512, alias="VECMOD_MAX_IN_FLIGHT_MB", description="size of all requests, MiB")
    max_requests: Positive = Field(256, alias="VECMOD_MAX_REQUESTS", description="requests at once; beyond it 503")
    max_items: Positive = Field(2048, alias="VECMOD_MAX_ITEMS", description="items in one request")
    max_pixels: Positive = Field(
        ImageLimits.max_pixels, alias="VECMOD_MAX_PIXELS", description="of a picture: width times height"
    )
    max_aspect: Positive = Field(
        ImageLimits.max_aspect, alias="VECMOD_MAX_ASPECT", description="longer side divided by shorter side"
    )
    max_audio_seconds: Positive = Field(
        AudioLimits.max_seconds, alias="VECMOD_MAX_AUDIO_SECONDS", description="length of a sound"
    )
    max_video_seconds: Positive = Field(
        VideoLimits.max_seconds, alias="VECMOD_MAX_VIDEO_SECONDS", description="length of a film"
    )
    max_video_pixels: Positive = Field(
        VideoLimits.max_pixels, alias="VECMOD_MAX_VIDEO_PIXELS", description="of a frame: width times height"
    )
    max_video_frames: Positive = Field(
        VideoLimits.max_frames, alias="VECMOD_MAX_VIDEO_FRAMES", description="frames of a film that are decoded"
    )
    max_imu_rows: Positive = Field(
        ImuLimits.max_rows, alias="VECMOD_MAX_IMU_ROWS", description="lines of a table of motion sensors"
    )
    allow_urls: Annotated[tuple[str, ...], BeforeValidator(split_names), AfterValidator(_check_urls)] = Field(
        (), alias="VECMOD_ALLOW_URLS", description="hosts and addresses media are fetched from; empty: none"
    )
    url_max_mb: Positive = Field(20, alias="VECMOD_URL_MAX_MB", description="size of one fetched file, MiB")
    url_timeout: Annotated[float, Field(gt=0, le=3600)] = Field(
        10.0, alias="VECMOD_URL_TIMEOUT", description="time for one fetch with all its redirects, seconds"
    )
    max_wait: Annotated[float, Field(gt=0, le=86_400)] = Field(
        50.0, alias="VECMOD_MAX_WAIT", description="an item may wait for its turn, seconds; beyond it 503"
    )
    run_timeout: Annotated[float, Field(gt=0, le=86_400)] = Field(
        300.0, alias="VECMOD_RUN_TIMEOUT", description="one run of the model, seconds; beyond them the process ends"
    )
    vector_cache_mb: Annotated[int, Field(ge=0)] = Field(
        64,
        alias="VECMOD_VECTOR_CACHE_MB",
        description="memory for vectors that are reused, MiB; 0: none is",
    )
    vector_cache_url: str = Field(
        "", alias="VECMOD_VECTOR_CACHE_URL", description="Redis in which replicas share vectors; empty: none"
    )
    body_timeout: Seconds = Field(
        30.0, alias="VECMOD_BODY_TIMEOUT", description="time for a body, seconds, plus one for each 64 KiB"
    )
    # Weaviate keeps idle connections for 90 s; closing earlier would break requests it sends on them.
    keep_alive: Positive = Field(120, alias="VECMOD_KEEP_ALIVE", description="keep idle connections, seconds")
    drain_delay: Seconds = Field(1.0, alias="VECMOD_DRAIN_DELAY", description="serve on after SIGTERM, seconds")
    drain_timeout: Positive = Field(50, alias="VECMOD_DRAIN_TIMEOUT", description="then wait for answers, seconds")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", alias="VECMOD_LOG_LEVEL")

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "ServiceSettings":
        """Settings from variables.

        Raises:
            SettingsError: naming every variable that cannot be used.
        """
        return read_settings(cls, environ)

    def cores(self) -> int:
        """Threads that run the model, and threads that decode beside it."""
        return self.threads or usable_cores()

    def media_limits(self) -> MediaLimits:
        """What media may be."""
        return MediaLimits(
            ImageLimits(self.max_pixels, self.max_aspect),
            AudioLimits.lasting(self.max_audio_seconds),
            VideoLimits(self.max_video_seconds, self.max_video_pixels, self.max_video_frames),
            ImuLimits(self.max_imu_rows),
        )

    def device(self) -> str:
        """``cpu`` or the torch device."""
        return self.cuda_core if self.enable_cuda else "cpu"
