"""Output that never ends."""

from __future__ import annotations

import pytest

from paas.drivers.docker.flood import BURST_LINES, Flood
from paas.errors import BuildFailed


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_burst_is_told_the_rest_is_counted_and_told_once() -> None:
    clock, told = Clock(), []
    flood = Flood(told.append, now=clock)
    for n in range(BURST_LINES + 7):
        flood.tell(str(n))
    assert len(told) == BURST_LINES
    clock.now = 1.0
    flood.tell("later")
    assert told[-2:] == ["[7 lines dropped: too many at once]", "later"]
    flood.end()
    assert told[-1] == "later"


def test_long_lines_have_a_limit_of_their_own() -> None:
    told: list[str] = []
    flood = Flood(told.append, now=Clock())
    for _ in range(5000):
        flood.tell("x" * 16_000)
    flood.end()
    assert sum(map(len, told)) < 17 << 20
    assert "lines dropped" in told[-1]


def test_too_many_bytes_end_it() -> None:
    flood = Flood(lambda line: None, max_bytes=10)
    assert flood.count(b"12345") == b"12345"
    with pytest.raises(BuildFailed):
        flood.count(b"123456")
