"""How long each stage of a build took, in milliseconds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Stages:
    """A stopwatch with names."""

    def __init__(self) -> None:
        self._spent: dict[str, int] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Count what happens inside to the stage."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._spent[stage] = self._spent.get(stage, 0) + round((time.monotonic() - began) * 1000)

    def spent(self) -> Mapping[str, int]:
        """Milliseconds by stage, in the order they were first entered."""
        return dict(self._spent)
