"""How many cores this process may use: of the machine's those it is bound to, and of these what its container gets."""

import math
import os
from contextlib import suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = _CGROUPS) -> int:
    """Cores, at least 1; a limit of a core and a half counts as two.

    Args:
        cgroups: where Linux says what the container may have: ``docker run --cpus``, Kubernetes' ``limits``.
    """
    # Not every system can say which cores this process may use.
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = _limit(cgroups)
    return bound if limit is None else max(1, min(bound, math.ceil(limit)))


def _limit(cgroups: Path) -> float | None:
    """The container's share of all cores' time, in cores; None without a limit."""
    with suppress(OSError, ValueError):
        quota, period = (cgroups / "cpu.max").read_text().split()
        return _cores(quota, period)
    with suppress(OSError, ValueError):
        quota, period = ((cgroups / f"cpu/cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return _cores(quota, period)
    return None


def _cores(quota: str, period: str) -> float | None:
    """Microseconds of computing in each period; ``max`` (version 2) and -1 (version 1) are no limit."""
    return None if quota in ("max", "-1") else int(quota) / int(period)
