from __future__ import annotations

import threading

import pytest

from paas.errors import Unavailable
from paas.worker.turns import Turns


def test_slow_sweep_does_not_pile_up_and_holds_up_no_other() -> None:
    turns, begun, over = Turns(), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        over.wait(10)

    thread = threading.Thread(target=turns.take, args=("repair", [slow]))
    thread.start()
    begun.wait(10)
    done: list[str] = []
    assert not turns.take("repair", [lambda: done.append("twice")])
    assert turns.take("recover", [lambda: done.append("other")])
    over.set()
    thread.join(10)
    assert turns.take("repair", [lambda: done.append("again")])
    assert done == ["other", "again"]


def test_part_that_is_away_stops_only_its_own_verb() -> None:
    done: list[str] = []

    def away() -> None:
        raise Unavailable("no engine")

    turns = Turns()
    assert turns.take("tidy", [away, lambda: done.append("next")])
    assert done == ["next"]
    with pytest.raises(ZeroDivisionError):
        turns.take("tidy", [lambda: done.append(str(1 / 0))])
    assert turns.take("tidy", [])
