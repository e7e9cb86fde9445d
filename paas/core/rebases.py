"""Moving many apps onto a newer base: in waves, each larger than the one before, and a rule when to stop.

A rebase is running until every app is done, skipped or failed (done), or until more failed than it may (stopped).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from paas.errors import InvalidInput

DEFAULT_WAVES = "1,5,25%"
_MOST = 20


class State(StrEnum):
    running = "running"
    done = "done"
    stopped = "stopped"


class Part(StrEnum):
    """Where one app stands."""

    waiting = "waiting"
    deploying = "deploying"
    done = "done"
    skipped = "skipped"
    failed = "failed"


@dataclass(frozen=True)
class Rebased:
    """An image on its base as it is now; the same image where that had not changed."""

    image: str
    old_base: str
    new_base: str

    @property
    def is_current(self) -> bool:
        return self.old_base == self.new_base


@dataclass(frozen=True)
class Decision:
    """What is next: the state of the whole, and the wave that may start (0: none)."""

    state: State
    wave: int = 0


def sizes(text: str, count: int) -> list[int]:
    """How many apps each wave has: `1,5,25%` of 40 is 1, 5, 10, 10, 10, 4; the last size repeats.

    Raises InvalidInput naming the field.
    """
    steps = [_size(part.strip(), count) for part in text.split(",")]
    if len(steps) > _MOST:
        raise InvalidInput(f"waves has more than {_MOST} sizes", field="waves", hint=f"For example {DEFAULT_WAVES}")
    found: list[int] = []
    while (left := count - sum(found)) > 0:
        found.append(min(steps[min(len(found), len(steps) - 1)], left))
    return found


def _size(text: str, count: int) -> int:
    number = text.removesuffix("%")
    if not (number.isascii() and number.isdigit() and 0 < int(number) <= 100_000):
        raise InvalidInput(f"waves: {text[:20]!r} is no size", field="waves", hint=f"For example {DEFAULT_WAVES}")
    if not text.endswith("%"):
        return int(number)
    return max(1, count * min(int(number), 100) // 100)


def assign(count: int, waves: str) -> list[int]:
    """The wave of each app, counted from 1."""
    return [wave for wave, size in enumerate(sizes(waves, count), start=1) for _ in range(size)]


def decide(parts: Iterable[tuple[int, Part]], max_failures: int) -> Decision:
    """`parts`: wave and state of each app. A wave starts when the one before has ended."""
    every: Sequence[tuple[int, Part]] = list(parts)
    failed = sum(part is Part.failed for _, part in every)
    under_way = any(part is Part.deploying for _, part in every)
    waiting = [wave for wave, part in every if part is Part.waiting]
    if failed > max_failures:
        return Decision(State.running if under_way else State.stopped)
    if waiting and not under_way:
        return Decision(State.running, min(waiting))
    return Decision(State.running if waiting or under_way else State.done)
