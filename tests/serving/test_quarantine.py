"""Who is held, for how long, how many of them, and who is let go."""

from vecmod.contract.errors import EngineFault
from vecmod.serving.flow.quarantine import Quarantine

FAULT = EngineFault("the model failed on this input")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_held_for_an_hour_with_the_same_words() -> None:
    clock = Clock()
    quarantine = Quarantine(clock)
    quarantine.failed(b"a", FAULT)
    clock.now = 3599
    found = quarantine.fault_of(b"a")
    assert found is not None
    assert found is not FAULT
    assert found.message == FAULT.message
    assert quarantine.fault_of(b"b") is None
    clock.now = 3600
    assert quarantine.fault_of(b"a") is None


def test_never_more_than_a_thousand() -> None:
    quarantine = Quarantine(Clock())
    for number in range(5000):
        quarantine.passed()
        quarantine.failed(b"%d" % number, FAULT)
    assert len(quarantine) == 1000
    held = [number for number in range(5000) if quarantine.fault_of(b"%d" % number)]
    assert held == list(range(4000, 5000))


def test_a_broken_engine_condemns_nobody_but_the_first() -> None:
    quarantine = Quarantine(Clock())
    for number in range(100):
        quarantine.failed(b"%d" % number, FAULT)
    assert [number for number in range(100) if quarantine.fault_of(b"%d" % number)] == [0]
    quarantine.passed()
    quarantine.failed(b"bad", FAULT)
    assert quarantine.fault_of(b"bad")
