"""A program's output on its way into the story: as much as somebody may read, and no more.

Pure but for its clock. Lines beyond a rate are counted instead of told; a program that prints without end is ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from paas.errors import BuildFailed
from paas.ports import Say

BURST_LINES, LINES_A_SECOND = 50_000, 1000
BURST_BYTES, BYTES_A_SECOND = 16 << 20, 256 << 10
MAX_BYTES = 64 << 20
"""Of all output of one program, told or not."""


class Flood:
    """Stands between one program and the story."""

    def __init__(self, say: Say, *, now: Callable[[], float] = time.monotonic, max_bytes: int = MAX_BYTES) -> None:
        self._say = say
        self._now = now
        self._max_bytes = max_bytes
        self._read = 0
        self._lines: float = BURST_LINES
        self._bytes: float = BURST_BYTES
        self._at = now()
        self._dropped = 0

    def count(self, data: bytes) -> bytes:
        """The bytes, counted. Raises BuildFailed where they are too many."""
        self._read += len(data)
        if self._read > self._max_bytes:
            self.end()
            raise BuildFailed(
                f"the build printed more than {self._max_bytes >> 20} MiB",
                reason="OutputTooLarge",
                stage="sandbox",
                hint="Make its programs print less: most have a --quiet.",
            )
        return data

    def tell(self, line: str) -> None:
        """Tell a line, or count it."""
        self._refill()
        if self._lines < 1 or self._bytes < len(line):
            self._dropped += 1
            return
        self.end()
        self._lines -= 1
        self._bytes -= len(line)
        self._say(line)

    def end(self) -> None:
        """Say what was not told so far."""
        if self._dropped:
            self._say(f"[{self._dropped} lines dropped: too many at once]")
            self._dropped = 0

    def _refill(self) -> None:
        now = self._now()
        self._lines = min(BURST_LINES, self._lines + (now - self._at) * LINES_A_SECOND)
        self._bytes = min(BURST_BYTES, self._bytes + (now - self._at) * BYTES_A_SECOND)
        self._at = now
