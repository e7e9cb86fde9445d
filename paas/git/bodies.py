"""Request bodies of git clients: plain, chunked or gzip, read piece by piece and bounded after unpacking."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO

from paas.errors import InvalidInput

PIECE = 64 * 1024
_GZIP = 31


def pieces(stream: IO[bytes], encoding: str, most: int) -> Iterator[bytes]:
    """The body, unpacked. Raises InvalidInput where it is damaged, too long or in another encoding."""
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise InvalidInput("this content encoding is not known", field="Content-Encoding", hint="Use gzip or none.")
    source = _plain(stream) if encoding in ("", "identity") else _unpacked(_plain(stream))
    total = 0
    for piece in source:
        total += len(piece)
        if total > most:
            raise InvalidInput(f"the request is over {most} bytes", field="body", hint="Push less at once.")
        yield piece


def _plain(stream: IO[bytes]) -> Iterator[bytes]:
    try:
        while piece := stream.read(PIECE):
            yield piece
    except OSError:
        raise InvalidInput("the request broke off", field="body", hint="Try again.") from None


def _unpacked(packed: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        for piece in packed:
            rest = piece
            while rest:
                yield unpacker.decompress(rest, PIECE)
                rest = unpacker.unconsumed_tail
            if unpacker.unused_data:
                raise _damaged()
        yield unpacker.flush(PIECE)
    except zlib.error:
        raise _damaged() from None
    if not unpacker.eof:
        raise _damaged()


def _damaged() -> InvalidInput:
    return InvalidInput("the gzip body is damaged", field="body", hint="Try again.")
