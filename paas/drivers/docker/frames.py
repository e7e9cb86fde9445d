"""The engine's own framing of a program's two output streams, and of its stored log lines.

Each frame has 8 bytes of header (stream number, length). A stored line comes with its time stamp in front; a line
longer than 16 KiB comes as several frames with one stamp.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from paas.drivers.docker.lines import Lines

_HEADER = 8
_STREAMS = (1, 2)


def frames(read: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    """Stream number and bytes, until the end; `read(n)` gives n bytes, fewer only at the end."""
    while len(header := read(_HEADER)) == _HEADER:
        stream, length = struct.unpack(">BxxxL", header)
        if not length:
            continue
        data = read(length)
        if data:
            yield stream, data
        if len(data) < length:
            return


def output_lines(read: Callable[[int], bytes]) -> Iterator[str]:
    """The lines of both streams, in the order in which they were completed."""
    streams = {number: Lines() for number in _STREAMS}
    for number, data in frames(read):
        if number in streams:
            yield from streams[number].feed(data)
    for lines in streams.values():
        yield from lines.end()


def stored_lines(read: Callable[[int], bytes]) -> Iterator[tuple[str, str]]:
    """Stamp and text of each stored line."""
    streams = {number: Lines() for number in _STREAMS}
    stamps = dict.fromkeys(_STREAMS, "")
    for number, data in frames(read):
        if number not in streams:
            continue
        stamp, _, rest = data.partition(b" ")
        stamps[number] = stamps[number] or stamp.decode("ascii", "replace")
        for line in streams[number].feed(rest):
            yield stamps[number], line
            stamps[number] = ""
    for number, lines in streams.items():
        for line in lines.end():
            yield stamps[number], line


def since(stamp: str) -> str:
    """A stamp as the engine's `since` parameter takes it: seconds and nanoseconds."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return f"{seconds}.{fraction.ljust(9, '0')[:9]}"
