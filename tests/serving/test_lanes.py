"""The order of turns: queries first, imports not never, nobody who is late or has left."""

from vecmod.contract.priority import Priority
from vecmod.serving.flow.lanes import Lanes, Turn, Waiting

QUERY, IMPORT = Priority


def lined_up(*entries: tuple[str, Priority, float], deadline: float = 1e9) -> Lanes[str, int]:
    lanes: Lanes[str, int] = Lanes()
    for name, priority, since in entries:
        lanes.put(Waiting(name, Turn(priority, deadline), since))
    return lanes


def names(waiting: list[Waiting[str, int]]) -> str:
    return "".join(one.item for one in waiting)


def test_queries_go_before_imports_each_in_their_order() -> None:
    lanes = lined_up(("a", IMPORT, 0), ("b", IMPORT, 0), ("1", QUERY, 1), ("2", QUERY, 1))
    assert [names(lanes.take(3, now=1)[0]), names(lanes.take(3, now=1)[0])] == ["12a", "b"]
    assert len(lanes) == 0
    assert lanes.take(3, now=1) == ([], [])


def test_imports_that_waited_long_get_a_quarter_of_the_places() -> None:
    lanes = lined_up(*((letter, IMPORT, 0.0) for letter in "abcd"), *((digit, QUERY, 9.0) for digit in "123456789"))
    assert names(lanes.take(10, now=10)[0]) == "a123b456c7"
    # Whatever the size of batches.
    lanes = lined_up(*((letter, IMPORT, 0.0) for letter in "abcd"), *((digit, QUERY, 9.0) for digit in "123456789"))
    assert "".join(names(lanes.take(1, now=10)[0]) for _ in range(10)) == "a123b456c7"
    # And none while they are young.
    lanes = lined_up(*((letter, IMPORT, 9.0) for letter in "abcd"), *((digit, QUERY, 9.0) for digit in "123456789"))
    assert names(lanes.take(10, now=10)[0]) == "123456789a"


def test_places_that_one_kind_does_not_need_are_the_others() -> None:
    assert names(lined_up(*((letter, IMPORT, 0.0) for letter in "abcd")).take(10, now=10)[0]) == "abcd"
    assert names(lined_up(*((digit, QUERY, 0.0) for digit in "1234")).take(10, now=10)[0]) == "1234"


def test_the_late_come_apart_and_take_no_place() -> None:
    lanes = lined_up(("a", IMPORT, 5), ("1", QUERY, 5), deadline=5)
    lanes.put(Waiting("2", Turn(QUERY, 20), 6))
    present, late = lanes.take(1, now=5)
    assert (names(present), names(late)) == ("1", "")
    present, late = lanes.take(1, now=6)
    assert (names(present), names(late)) == ("2", "")
    present, late = lanes.take(1, now=6)
    assert (names(present), names(late)) == ("", "a")
    assert late[0].answer.running()  # so that it can be answered, and not be cancelled meanwhile


def test_the_late_can_be_taken_alone() -> None:
    lanes = lined_up(("a", IMPORT, 0), ("1", QUERY, 0), deadline=5)
    lanes.put(Waiting("b", Turn(IMPORT, 20), 0))
    gone = Waiting[str, int]("c", Turn(IMPORT, 5), 0)
    lanes.put(gone)
    assert gone.answer.cancel()
    assert lanes.take_late(now=5) == []
    assert names(lanes.take_late(now=6)) == "1a"
    assert names(lanes.take(9, now=6)[0]) == "b"


def test_those_who_left_take_no_place() -> None:
    lanes = lined_up(("b", IMPORT, 0))
    gone = [Waiting[str, int](name, Turn(QUERY), 0) for name in "12"]
    for one in gone:
        lanes.put(one)
        assert one.answer.cancel()
    assert len(lanes) == 3
    present, late = lanes.take(1, now=0)
    assert (names(present), late) == ("b", [])
    assert not present[0].answer.cancel()
