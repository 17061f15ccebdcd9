"""Commands as processes of their own: services that cannot start, and what a user types."""

import os
import subprocess
import sys
from pathlib import Path


def start(*arguments: str, **variables: str) -> tuple[int, str]:
    """Exit code and log of ``python -m ...``, offline and on any free port unless variables say otherwise."""
    environ = {**os.environ, "VECMOD_OFFLINE": "1", "VECMOD_PORT": "0", **variables}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


def vecmod(*arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "COLUMNS": "200", **variables}
    command = [sys.executable, "-m", "vecmod", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=120, check=False)
