"""Tells the operator what is being done and how long it took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

Tell = Callable[[str], None]
_PAUSE = 15.0
"""Seconds after which a step that is still at it shows its latest line."""


class Steps:
    """Each step a line at its start and one at its end, with seconds; in between a sign of life."""

    def __init__(self, tell: Tell = click.echo) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        with self._lock:
            self._tell(text)

    @contextmanager
    def step(self, title: str) -> Iterator[Tell]:
        """Gives a function for the step's own lines, of which only the latest is shown now and then."""
        began = time.monotonic()
        latest, over = [title], threading.Event()

        def remember(line: str) -> None:
            latest[0] = line

        def live() -> None:
            while not over.wait(_PAUSE):
                self.say(f"       {time.monotonic() - began:4.0f} s  {latest[0].strip()[:150]}")

        sign = threading.Thread(target=live, daemon=True)
        self.say(f"-----> {title}")
        sign.start()
        try:
            yield remember
        finally:
            over.set()
        seconds = time.monotonic() - began
        note = "" if latest[0] == title else f"  {latest[0].strip()[:150]}"
        self.say(f"       {seconds:4.1f} s{note}")

    def seconds(self) -> float:
        return time.monotonic() - self._began
