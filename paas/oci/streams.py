"""Bytes that come once: what can be read, and how to read exactly.

Engines and HTTP clients hand out chunks of any size; archives are read in blocks of a known one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Readable(Protocol):
    """Anything with `read(n)`: at most n bytes, none at the end."""

    def read(self, n: int, /) -> bytes: ...


class Chunks:
    """An iterable of chunks as something to read from."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""
        self._at = 0

    def read(self, n: int = -1, /) -> bytes:
        """At most n bytes, from one chunk; all that is left if n is negative."""
        if n < 0:
            return self._rest[self._at :] + self._forget() + b"".join(self._chunks)
        while self._at >= len(self._rest):
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest, self._at = chunk, 0
        start, self._at = self._at, self._at + n
        return self._rest[start : self._at]

    def _forget(self) -> bytes:
        self._rest, self._at = b"", 0
        return b""


def read_up_to(stream: Readable, n: int) -> bytes:
    """n bytes, fewer only where the stream ends."""
    first = stream.read(n)
    if len(first) == n or not first:
        return first
    parts = [first]
    missing = n - len(first)
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
