"""Threads follow the container's limit, not the host's cores."""

import os
from pathlib import Path

import pytest

from vecmod.serving.cores import usable_cores

BOUND = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("said", "cores"),
    [
        ("max 100000", BOUND),
        ("100000 100000", 1),
        ("10000 100000", 1),
        ("150000 100000", min(BOUND, 2)),
        ("6400000 100000", BOUND),
        ("nonsense", BOUND),
    ],
)
def test_the_limit_of_version_2(said: str, cores: int, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(f"{said}\n")
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", BOUND), ("50000", 1), ("200000", min(BOUND, 2))])
def test_the_limit_of_version_1(quota: str, cores: int, tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text(f"{quota}\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(tmp_path) == cores


def test_without_containers(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == BOUND
