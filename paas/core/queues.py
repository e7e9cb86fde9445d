"""Who is next: work of many projects in one line, fair between them, within limits. Pure.

The project that has least running goes first, and in it the oldest; so one tenant's hundred builds delay another's
first by one turn at most. The same decision says why something waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class Item:
    """One piece of work. A line of them is ordered by age."""

    id: str
    number: int
    app: str
    project: str
    running: bool
    parallel: bool = False
    """It may run beside others of its app."""
    ready: bool = True
    """No pause before another try is left."""


@dataclass(frozen=True)
class Caps:
    """How many may run at the same time."""

    total: int
    per_project: int
    per_app: int = 1
    """Of an app whose work may run in parallel."""
    of_project: Mapping[str, int] = field(default_factory=dict)
    """Where a project has a limit of its own."""

    def project(self, project: str) -> int:
        return self.of_project.get(project) or self.per_project


class Why(StrEnum):
    """What a waiting item waits for."""

    now = "now"
    pause = "pause"
    app = "app"
    project = "project"
    total = "total"


@dataclass(frozen=True)
class Place:
    """Where an item stands, and what is in its way."""

    why: Why
    behind: tuple[Item, ...] = ()
    """app, project: those that must end first."""
    position: int = 0
    """Among all that cannot run yet, from 1 on."""
    waiting: int = 0


class _Line:
    """The line while places are given out."""

    def __init__(self, items: Iterable[Item], caps: Caps) -> None:
        self.caps = caps
        self.running: list[Item] = []
        self.waiting: list[Item] = []
        for item in items:
            (self.running if item.running else self.waiting).append(item)

    def blocked(self, item: Item) -> tuple[Why, tuple[Item, ...]]:
        """The narrowest limit that holds it back."""
        mine = [other for other in self.running if other.app == item.app]
        earlier = [other for other in self.waiting if other.app == item.app and other.number < item.number]
        alone = not item.parallel or not all(other.parallel for other in mine)
        if (mine and (alone or len(mine) >= self.caps.per_app)) or (earlier and not item.parallel):
            return Why.app, (*mine, *(() if item.parallel else earlier))
        if not item.ready:
            return Why.pause, ()
        of_project = [other for other in self.running if other.project == item.project]
        if len(of_project) >= self.caps.project(item.project):
            return Why.project, tuple(of_project)
        if len(self.running) >= self.caps.total:
            return Why.total, tuple(self.running)
        return Why.now, ()

    def take(self) -> Item | None:
        """Let the next one run, if any may."""
        free = [item for item in self.waiting if self.blocked(item)[0] is Why.now]
        if not free:
            return None
        busy = Counter(item.project for item in self.running)
        best = min(free, key=lambda item: busy[item.project])  # min keeps the order of age
        self.waiting.remove(best)
        self.running.append(best)
        return best


def choose(items: Iterable[Item], caps: Caps) -> list[str]:
    """Ids of those that may run now, first things first."""
    line = _Line(items, caps)
    chosen: list[str] = []
    while best := line.take():
        chosen.append(best.id)
    return chosen


def places(items: Iterable[Item], caps: Caps) -> dict[str, Place]:
    """Of every waiting item by id: why it waits, and its position if nothing new comes."""
    line = _Line(items, caps)
    found: dict[str, Place] = {}
    while best := line.take():
        found[best.id] = Place(Why.now)
    order = _turns(line)
    for item in line.waiting:
        why, behind = line.blocked(item)
        found[item.id] = Place(why, behind, order.index(item.id) + 1, len(order))
    return found


def _turns(line: _Line) -> list[str]:
    """The waiting as they would come if all that runs ended one by one."""
    busy = Counter(item.project for item in line.running)
    left, turns = list(line.waiting), []
    while left:
        best = min(left, key=lambda item: busy[item.project])
        left.remove(best)
        busy[best.project] += 1
        turns.append(best.id)
    return turns


def pause(spent: float, longest: float = 30.0) -> float:
    """Seconds until the next try, when tries have gone on for `spent` seconds: each wait doubles the whole."""
    return min(longest, max(1.0, spent))
