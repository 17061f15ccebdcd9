"""Work that several wait for: done once, given up when nobody waits, and never because somebody else has left."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from vecmod.serving.flow.in_flight import InFlight


@dataclass
class Kitchen:
    """Where a meal takes until it may."""

    meals: InFlight[str, int] = field(default_factory=InFlight)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    begun: int = 0
    ended: int = 0
    given_up: int = 0

    async def cook(self) -> int:
        self.begun += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return self.begun

    def _end(self) -> None:
        self.ended += 1

    async def eat(self) -> int:
        work = self.meals.find("soup") or self.meals.start("soup", self.cook(), self._end)
        return await self.meals.wait("soup", work)


def kitchen(test: Callable[[Kitchen], Awaitable[None]]) -> Kitchen:
    async def run() -> Kitchen:
        made = Kitchen()
        await test(made)
        assert made.meals.find("soup") is None
        return made

    return asyncio.run(run())


async def several(made: Kitchen, count: int) -> list["asyncio.Task[int]"]:
    eating = [asyncio.create_task(made.eat()) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return eating


def test_once_for_all_then_anew() -> None:
    async def test(made: Kitchen) -> None:
        eating = await several(made, 3)
        made.go.set()
        assert [await one for one in eating] == [1, 1, 1]
        assert await made.eat() == 2

    made = kitchen(test)
    assert (made.begun, made.ended, made.given_up) == (2, 2, 0)


@pytest.mark.parametrize("leaver", [0, 1, 2])
def test_whoever_leaves_takes_nothing_from_the_others(leaver: int) -> None:
    async def test(made: Kitchen) -> None:
        eating = await several(made, 3)
        eating[leaver].cancel()
        await asyncio.wait(eating[leaver : leaver + 1])
        made.go.set()
        assert [await one for one in eating if not one.cancelled()] == [1, 1]

    made = kitchen(test)
    assert (made.begun, made.ended, made.given_up) == (1, 1, 0)


def test_given_up_when_all_have_left_and_nobody_joins_that() -> None:
    async def test(made: Kitchen) -> None:
        eating = await several(made, 2)
        for one in eating:
            one.cancel()
        await asyncio.wait(eating)
        (late,) = await several(made, 1)
        made.go.set()
        assert await late == 2

    made = kitchen(test)
    assert (made.begun, made.ended, made.given_up) == (2, 2, 1)


def test_its_end_is_told_even_if_it_never_began() -> None:
    async def test(made: Kitchen) -> None:
        work = made.meals.start("soup", made.cook(), made._end)
        work.task.cancel()
        await asyncio.wait([work.task])
        await asyncio.sleep(0)

    made = kitchen(test)
    assert (made.begun, made.ended) == (0, 1)


def test_what_is_done_cannot_be_joined() -> None:
    """Not even in the moment before those who waited are told."""
    found: list[object] = []

    async def test(made: Kitchen) -> None:
        async def cook() -> int:
            asyncio.get_running_loop().call_soon(lambda: found.append(made.meals.find("soup")))
            return 1

        work = made.meals.start("soup", cook(), made._end)
        assert made.meals.find("soup") is work
        assert await made.meals.wait("soup", work) == 1

    kitchen(test)
    assert found == [None]
