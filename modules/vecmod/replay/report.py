"""What a replay found, added up as it comes in: counts, and the few worst of everything."""

import heapq
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vecmod.replay.compare import Item, Reading, compare_items

# Named one by one; beyond that they are counted.
_NAMED = 20
_WORST = 10
# Of all lines: where more than one in ten told nothing, the others are no fair sample of them.
_UNKNOWN = 0.1


class Placed(NamedTuple):
    """An item and the line of its request."""

    line: int
    item: Item


class Difference(NamedTuple):
    """A request that one side answered otherwise: status (0: no answer) and error of both."""

    line: int
    old_status: int
    new_status: int
    old_error: str
    new_error: str


@dataclass
class Side:
    """One server: requests that it failed when they were compared, and when it was timed."""

    failed: int = 0
    timed_failed: int = 0
    seconds: float = 0.0


@dataclass
class Report:
    """The whole.

    Attributes:
        threshold: cosine that every item must reach.
        requests: that were sent to both.
        corrupt: lines that could not be read, and why; the first of them.
        items: places with a vector in either answer.
        below: items whose cosine does not reach the threshold.
        unlike: items that cannot be compared: missing, of different dimensions, no numbers; the first of them.
        worse: requests that old answered and new failed.
        both_failed: requests that neither answered.
        differences: requests with another status; the first of them.
        statuses: how often the pairs of them came, e.g. ``200 422``.
        worst: items with the smallest cosine.
        turns: ratios old/new of seconds, one for each pair of timed blocks: the smallest and the largest.
        timed: requests that each side was timed with.
        stopped: where and why it ended too early; empty if it did not.
    """

    threshold: float
    requests: int = 0
    corrupt: list[tuple[int, str]] = field(default_factory=list)
    corrupt_count: int = 0
    items: int = 0
    below: int = 0
    unlike: list[Placed] = field(default_factory=list)
    unlike_count: int = 0
    worse: int = 0
    both_failed: int = 0
    differences: list[Difference] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    worst: list[Placed] = field(default_factory=list)
    worst_length: Placed | None = None
    max_difference: float = 0.0
    old: Side = field(default_factory=Side)
    new: Side = field(default_factory=Side)
    turns: tuple[float, float] = (math.inf, 0.0)
    timed: int = 0
    stopped: str = ""
    _cosines: float = 0.0

    def add_corrupt(self, line: int, reason: str) -> None:
        """A line that cannot be read."""
        self.corrupt_count += 1
        if len(self.corrupt) < _NAMED:
            self.corrupt.append((line, reason))

    def add(self, line: int, old: Reading, new: Reading) -> None:
        """Both answers to one request."""
        self.requests += 1
        self.old.failed += bool(old.fault)
        self.new.failed += bool(new.fault)
        self.worse += bool(new.fault) and not old.fault
        self.both_failed += bool(new.fault) and bool(old.fault)
        if old.status != new.status or bool(old.fault) != bool(new.fault):
            self.statuses[f"{old.status} {new.status}"] += 1
            if len(self.differences) < _NAMED:
                self.differences.append(Difference(line, old.status, new.status, old.fault, new.fault))
        if not old.fault and not new.fault:
            for item in compare_items(old, new):
                self._add_item(Placed(line, item))

    def add_turn(self, requests: int, old_seconds: float, new_seconds: float) -> None:
        """A block of requests, sent to one side and then to the other."""
        self.timed += requests
        self.old.seconds += old_seconds
        self.new.seconds += new_seconds
        ratio = old_seconds / new_seconds
        self.turns = (min(self.turns[0], ratio), max(self.turns[1], ratio))

    def _add_item(self, placed: Placed) -> None:
        self.items += 1
        item = placed.item
        if item.fault:
            self.unlike_count += 1
            self.unlike += [placed] if len(self.unlike) < _NAMED else []
            return
        self._cosines += item.cosine
        self.below += item.cosine < self.threshold
        self.max_difference = max(self.max_difference, item.difference)
        self.worst = heapq.nsmallest(_WORST, [*self.worst, placed], key=lambda one: one.item.cosine)
        if self.worst_length is None or item.length_ratio < self.worst_length.item.length_ratio:
            self.worst_length = placed

    @property
    def compared(self) -> int:
        """Items with a cosine."""
        return self.items - self.unlike_count

    @property
    def mean_cosine(self) -> float:
        """Of all items that could be compared."""
        return self._cosines / self.compared if self.compared else 0.0

    @property
    def ratio(self) -> float:
        """How many times faster new is; 0 if it was not timed."""
        return self.old.seconds / self.new.seconds if self.new.seconds else 0.0

    def per_second(self, side: Side) -> float:
        """Requests that a side answered in a second; 0 if it was not timed."""
        return self.timed / side.seconds if side.seconds else 0.0

    def objections(self) -> list[str]:
        """What speaks against switching; empty if nothing does."""
        lines, unknown = self.requests + self.corrupt_count, self.corrupt_count + self.both_failed
        nothing_known = f"{unknown} of {lines} lines are damaged or failed with both, so nothing is known of them"
        found = [
            (self.stopped, self.stopped),
            (self.below, f"{self.below} of {self.compared} items are below {self.threshold:g}"),
            (self.unlike_count, f"{self.unlike_count} items cannot be compared"),
            (self.worse, f"{self.worse} requests that old answered fail with new"),
            (self.new.timed_failed > self.old.timed_failed, f"new failed {self.new.timed_failed} requests while timed"),
            (unknown > _UNKNOWN * lines, nothing_known),
            (not self.items, "no answer held a vector, so nothing was compared"),
        ]
        return [words for is_so, words in found if is_so]

    def as_json(self) -> dict[str, Any]:
        """Everything, for machines."""
        return {
            "safe": not self.objections(),
            "objections": self.objections(),
            "stopped": self.stopped or None,
            "threshold": self.threshold,
            "requests": self.requests,
            "corrupt_lines": {"count": self.corrupt_count, "first": [list(one) for one in self.corrupt]},
            "items": self.items,
            "below_threshold": self.below,
            "cosine": {
                "min": self.worst[0].item.cosine if self.worst else None,
                "mean": self.mean_cosine if self.compared else None,
            },
            "max_difference": self.max_difference,
            "length_ratio": _placed(self.worst_length) if self.worst_length else None,
            "worst": [_placed(one) for one in self.worst],
            "not_comparable": {
                "count": self.unlike_count,
                "first": [{"line": line, "place": item.place, "reason": item.fault} for line, item in self.unlike],
            },
            "requests_that_got_worse": self.worse,
            "requests_that_failed_with_both": self.both_failed,
            "status_differences": {
                "old new": dict(self.statuses),
                "first": [one._asdict() for one in self.differences],
            },
            "old": self._side(self.old),
            "new": self._side(self.new),
            "speed_ratio": {"all": self.ratio, "turns": list(self.turns)} if self.timed else None,
        }

    def _side(self, side: Side) -> dict[str, Any]:
        timed = {"requests": self.timed, "seconds": side.seconds, "per_second": self.per_second(side)}
        return {"failed": side.failed, "failed_while_timed": side.timed_failed, "timed": timed if self.timed else None}


def _placed(placed: Placed) -> dict[str, Any]:
    item = placed.item
    return {
        "line": placed.line,
        "place": item.place,
        "cosine": item.cosine,
        "max_difference": item.difference,
        "old_length": item.old_length,
        "new_length": item.new_length,
        "length_ratio": item.length_ratio,
    }
