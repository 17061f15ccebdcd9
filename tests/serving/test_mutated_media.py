"""A few thousand of the changes that ``tests/mutated_media.py`` makes; more are run by hand."""

import subprocess
import sys
from pathlib import Path

import pytest

import mutated_media
from growth import peak_below
from vecmod.serving.media import decode
from vecmod.serving.model.motion import MotionSteps


# Pillow warns of damage in what is not needed.
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize(("kind", "count"), [("images", 3000), ("audio", 1500), ("video", 1500), ("imu", 2000)])
def test_nothing_but_our_own_faults_comes_out(kind: str, count: int) -> None:
    mutated_media.WAYS[kind].files()
    with peak_below(400):
        tally = mutated_media.run(kind, count, seed=count)
    assert tally.found.keys() <= {"prepared", "undecodable", "too_large"}
    # There is no point in files that always fail at the first byte, nor in such that never do.
    assert count // 50 < tally.found["prepared"] < count * 9 // 10
    assert tally.slowest[0] < 10, tally.slowest


def test_what_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(MotionSteps, "prepare", fail)
    with pytest.raises(AssertionError, match=r"imu, seed 3, number \d+") as caught:
        mutated_media.run("imu", 1000, seed=3)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    monkeypatch.undo()
    monkeypatch.setattr(decode, "read_bytes", fail)
    with pytest.raises(AssertionError, match="imu, seed 3, number 7"):
        mutated_media.run("imu", 1, seed=3, first=7)


def test_by_hand() -> None:
    script = Path(mutated_media.__file__)
    command = [sys.executable, str(script), "imu", "--count", "3", "--seed", "1", "--first", "5"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("from 5: {")
