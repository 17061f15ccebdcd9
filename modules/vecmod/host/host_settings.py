"""Every variable of the module host, with Weaviate's names and rules: this wing's one reader of the environment."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from vecmod.contract.environment import read_settings, split_names
from vecmod.host.catalog import known_modules

_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: object) -> object:
    """Seconds of a Go duration such as ``50s`` or ``2m30s``; a bare number is refused, as Weaviate does.

    Raises:
        ValueError: with Go's words for what is wrong.
    """
    if not isinstance(text, str):
        return text
    digits = text.lstrip("+-")
    if digits == "0":
        return 0.0
    parts = list(_DURATION_PART.finditer(digits))
    if not digits or "".join(part.group() for part in parts) != digits:
        fault = "missing unit" if re.fullmatch(r"[\d.]+", digits) else "not"
        raise ValueError(f"{fault} in duration {text!r}" if fault != "not" else f"invalid duration {text!r}")
    seconds = sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
    return -seconds if text.startswith("-") else seconds


class HostSettings(BaseModel):
    """What an operator can set."""

    enable_modules: Annotated[tuple[str, ...], BeforeValidator(split_names)] = Field(
        (), alias="ENABLE_MODULES", description="modules to use, separated by commas"
    )
    default_vectorizer_module: str = Field(
        "none", alias="DEFAULT_VECTORIZER_MODULE", description="vectorizer of classes that name none"
    )
    modules_client_timeout: Annotated[float, BeforeValidator(parse_duration)] = Field(
        50.0, alias="MODULES_CLIENT_TIMEOUT", description="limit of one call to a service, a Go duration such as 50s"
    )
    # Either may hold a secret.
    store: str = Field("vecmod.db", alias="VECMOD_STORE", repr=False, description="URL or file of the vector database")
    store_key: str = Field(
        "", alias="VECMOD_STORE_KEY", repr=False, description="key or password of the database, if its URL has none"
    )
    concurrency: Annotated[int, Field(gt=0)] = Field(
        16, alias="VECMOD_CONCURRENCY", description="objects vectorised at once"
    )
    weights: Literal["declared", "weaviate"] = Field(
        "declared", alias="VECMOD_WEIGHTS", description="whose weight is whose: as declared, or as Weaviate pairs them"
    )
    module_variables: Mapping[str, str] = Field(
        default={}, alias="", description="the variables that modules read: origins and start-up rules"
    )

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "HostSettings":
        """Settings from variables.

        Raises:
            SettingsError: naming every variable that cannot be used.
        """
        names = {name for row in known_modules().values() for name in (row.origin_variable, row.wait_variable)}
        theirs = {name: environ[name] for name in names & environ.keys()}
        return read_settings(cls, environ).model_copy(update={"module_variables": theirs})
