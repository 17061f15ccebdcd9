"""Services that cannot start, as processes of their own."""

import os
import subprocess
import sys


def start(*arguments: str, **variables: str) -> tuple[int, str]:
    """Exit code and log of ``python -m ...``, offline and on any free port unless variables say otherwise."""
    environ = {**os.environ, "VECMOD_OFFLINE": "1", "VECMOD_PORT": "0", **variables}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr
