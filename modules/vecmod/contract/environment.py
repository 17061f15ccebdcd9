"""Reading settings from environment variables: the same rules and the same messages in both wings."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

PREFIX = "VECMOD_"

# Both wings may share one environment file, so each must know the other's names; a test holds this against
# the two settings classes.
OUR_VARIABLES = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "ACCEPT_NONCOMMERCIAL ALLOW_URLS API_TOKEN BODY_TIMEOUT CACHE_DIR CALIBRATION CONCURRENCY DRAIN_DELAY "
        "DRAIN_TIMEOUT ENGINE EXPLORE_FOLDER EXPLORE_HOST EXPLORE_MAX_FILE_MB EXPLORE_MEDIA EXPLORE_PORT "
        "HOST IMU_TRANSPOSE KEEP_ALIVE LOG_LEVEL MAX_ASPECT MAX_AUDIO_SECONDS MAX_BATCH MAX_BODY_MB MAX_IMU_ROWS "
        "MAX_IN_FLIGHT_MB MAX_ITEMS MAX_PIXELS MAX_REQUESTS MAX_VIDEO_FRAMES MAX_VIDEO_PIXELS MAX_VIDEO_SECONDS "
        "MAX_WAIT MODEL_PATH NORMALIZE OFFICIAL_LONG_TEXTS OFFLINE PORT PRECISION RUN_TIMEOUT STORE STORE_KEY STREAMS "
        "THREADS TOWERS URL_MAX_MB URL_STRINGS URL_TIMEOUT VECTOR_CACHE_MB VECTOR_CACHE_URL WEIGHTS"
    ).split()
)

Settings = TypeVar("Settings", bound=BaseModel)


def split_names(value: object) -> object:
    """Names separated by commas to a tuple; anything but a string is left as it is."""
    return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


class SettingsError(Exception):
    """A variable is unknown or has a value that cannot be used."""


def read_settings(kind: type[Settings], environ: Mapping[str, str]) -> Settings:
    """Build ``kind`` from the variables named by its field aliases; an empty value counts as unset.

    Raises:
        SettingsError: naming every bad variable, its value and what is expected.
    """
    refuse_unknown(environ)
    names = {str(field.alias) for field in kind.model_fields.values()}
    given = {name: value for name, value in environ.items() if name in names and value != ""}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise SettingsError(
            "\n".join(
                _explain(fault["loc"], given, fault["msg"].removeprefix("Value error, ")) for fault in error.errors()
            )
        ) from error


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """Refuse variables that start with our prefix and mean nothing: most likely a typing error.

    Raises:
        SettingsError: naming the variable and the nearest known one.
    """
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in OUR_VARIABLES:
            near = difflib.get_close_matches(name, OUR_VARIABLES, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; remove it, or see docs/variables.md for the known ones"
            raise SettingsError(f"{name} is not a variable vecmod knows{hint}")


def _explain(location: tuple[int | str, ...], given: Mapping[str, str], message: str) -> str:
    name = str(location[0]) if location else "environment"
    return f"{name}={given.get(name, '')!r} cannot be used: {message}"
