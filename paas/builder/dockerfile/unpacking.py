"""ADD of an archive: its content, checked entry by entry, in place of the file."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from paas.builder.dockerfile import context as contexts
from paas.builder.dockerfile.context import Look
from paas.builder.dockerfile.parse import invalid
from paas.builder.dockerfile.walk import Act
from paas.errors import InvalidInput
from paas.oci import archive
from paas.oci.archive import CHANGES, Entry, Reader
from paas.oci.streams import Chunks, Readable
from paas.ports import Sandbox

_LIMITS = archive.Limits(max_bytes=8 << 30, max_entries=500_000)
_PIECE = 64 * 1024
_ERRORS = (InvalidInput, zlib.error, lzma.LZMAError, OSError, EOFError)


def unpack(sandbox: Sandbox, entry: Entry, body: Readable, place: str, look: Look, act: Act) -> bool:
    """Put a tar's content in place, compressed or not; False where the file is none. Raises BuildFailed."""
    first = body.read(512) if entry.kind == "file" else b""
    chunks = _decompressed(first, body)
    if chunks is None:
        return False
    try:
        with contexts.tar(_entries(chunks), contexts.Below("", place.strip("/")), replace(look, mode=None)) as tar:
            sandbox.put(tar, "/")
    except _ERRORS as error:
        raise invalid(act.instruction.line, f"the archive {entry.path} cannot be unpacked: {error}") from error
    return True


def _entries(chunks: Iterable[bytes]) -> Iterator[tuple[Entry, Reader]]:
    return archive.read_entries(Chunks(chunks), _LIMITS, CHANGES)


def _decompressed(first: bytes, body: Readable) -> Iterator[bytes] | None:
    """The tar in a file, as its first bytes tell; None where it is no tar."""
    if first[257:262] == b"ustar":
        return _pieces(first, body)
    if first.startswith(b"\x1f\x8b"):
        decoder = zlib.decompressobj(31)
        return (out for piece in _pieces(first, body) if (out := decoder.decompress(piece)))
    if first.startswith(b"BZh"):
        unzip = bz2.BZ2Decompressor()
        return (out for piece in _pieces(first, body) if (out := unzip.decompress(piece)))
    if first.startswith(b"\xfd7zXZ\0"):
        unxz = lzma.LZMADecompressor()
        return (out for piece in _pieces(first, body) if (out := unxz.decompress(piece)))
    return None


def _pieces(first: bytes, body: Readable) -> Iterator[bytes]:
    yield first
    while piece := body.read(_PIECE):
        yield piece
