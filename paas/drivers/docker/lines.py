"""Bytes that come in pieces, as lines of text fit for a log.

A line is cut at 16 KiB (the rest of it is dropped), what is not UTF-8 is replaced, and of a progress bar
drawn with carriage returns only its last state is kept.
"""

from __future__ import annotations

from collections.abc import Iterator

LIMIT = 16 * 1024
CUT = " […]"
_KEPT = 4 * LIMIT
"""Bytes of an unfinished line that are kept: progress bars overwrite theirs."""


class Lines:
    """Splits one stream."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._overflow = False

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that these bytes complete."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._keep(data[start:end])
            yield self._take()
            start = end + 1
        self._keep(data[start:])

    def end(self) -> Iterator[str]:
        """What is left without an end of line."""
        if self._rest or self._overflow:
            yield self._take()

    def _keep(self, piece: bytes) -> None:
        """Add to the unfinished line; what a carriage return has overwritten is forgotten."""
        self._rest += piece
        if len(self._rest) <= _KEPT:
            return
        shown = self._rest.rstrip(b"\r").rfind(b"\r")
        if shown >= 0:
            del self._rest[: shown + 1]
        if len(self._rest) > _KEPT:
            del self._rest[_KEPT:]
            self._overflow = True

    def _take(self) -> str:
        line = clean(bytes(self._rest))
        if self._overflow and not line.endswith(CUT):
            line += CUT
        self._rest.clear()
        self._overflow = False
        return line


def clean(line: bytes) -> str:
    """One line without its end, as text."""
    shown = line.rstrip(b"\r\n").rsplit(b"\r", 1)[-1]
    if len(shown) > LIMIT:
        return _text(shown[:LIMIT]) + CUT
    return _text(shown)


def _text(line: bytes) -> str:
    """Without NUL, which some databases refuse."""
    return line.replace(b"\0", b"").decode("utf-8", "replace")
