"""Every variable of the explorer."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from vecmod.contract.environment import read_settings


def _folders(value: object) -> object:
    """Folders separated as in PATH; anything but a string is left as it is."""
    return tuple(one for one in value.split(os.pathsep) if one) if isinstance(value, str) else value


class ExploreSettings(BaseModel):
    """What an operator can set."""

    host: str = Field("127.0.0.1", alias="VECMOD_EXPLORE_HOST", description="address to listen on")
    port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None, alias="VECMOD_EXPLORE_PORT", description="port; none: 8765, or the next one that is free; 0: any"
    )
    folder: Path = Field(
        Path("~/.local/share/vecmod/explore"),
        alias="VECMOD_EXPLORE_FOLDER",
        description="keeps what is imported, a folder for each collection",
    )
    media: Annotated[tuple[Path, ...], BeforeValidator(_folders)] = Field(
        (), alias="VECMOD_EXPLORE_MEDIA", description="folders with the files of other objects, separated as in PATH"
    )
    max_file_mb: Annotated[int, Field(gt=0)] = Field(
        100, alias="VECMOD_EXPLORE_MAX_FILE_MB", description="size of a file that is imported or searched by"
    )

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "ExploreSettings":
        """Settings from variables.

        Raises:
            SettingsError: naming every variable that cannot be used.
        """
        return read_settings(cls, environ)
