"""Programs that tests run and no Python package brings along."""

import os
import shutil
from typing import NoReturn

import pytest


def tool(*names: str, advice: str) -> str:
    """The path of the first that is there. Without one the test is skipped; in CI, which installs them, it fails."""
    return find(*names) or lacking(*names, advice=advice)


def find(*names: str) -> str | None:
    """The path of the first that is there."""
    return next(filter(None, map(shutil.which, names)), None)


def lacking(*names: str, advice: str) -> NoReturn:
    """Skip the test; in CI, which installs such things, fail."""
    said = f"NOT TESTED: {' or '.join(names)} is not installed: {advice}"
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said)
