"""Entries to a layer in one pass: canonical tar, gzip, two digests, and out into a sink, in constant memory.

The diff id is reproducible anywhere. The digest is so between processors of one kind and one compressor, for
its bytes depend on how the input is sliced: hence the fixed pieces. Compare layers by diff id.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from paas.errors import InvalidInput
from paas.oci.digests import Digest
from paas.oci.streams import Readable
from paas.oci.tarwriter import EPOCH, TarWriter
from paas.oci.trees import Entry

GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_PIECE = 1024 * 1024
_PIECES = 4
"""So many are under way at most: what a slow registry may cost in memory."""
_GZIP = 31  # zlib's window bits for a gzip frame: no name, time 0


@dataclass(frozen=True)
class Layer:
    """A layer by its two names: the blob's digest, and the digest of the tar in it."""

    digest: Digest
    diff_id: Digest
    size: int
    media_type: str = GZIP_LAYER
    entries: int = field(default=0, compare=False)
    """Known only where the layer was written."""
    tar_bytes: int = field(default=0, compare=False)


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class TarCompressor:
    """The bytes of one tar, as they come, to a compressed blob.

    Compressing, hashing and the sink have a thread of their own: they take as long as reading a tar from an engine
    does, and need no lock meanwhile. An error there is raised by a later `write`, or by `finish`.
    """

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        self._sink = sink
        self._compressor = _compressor()
        self._diff_id = hashlib.sha256()
        self._digest = hashlib.sha256()
        self._pending: list[bytes] = []
        self._waiting = 0
        self._tar_bytes = 0
        self._size = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="layer")
        self._under_way: deque[Future[None]] = deque()
        self._is_broken = False

    def write(self, data: bytes) -> None:
        """Take bytes of the tar. Raises what the sink raised."""
        while self._waiting + len(data) >= _PIECE:
            cut = _PIECE - self._waiting
            self._hand_on(data[:cut])
            data = data[cut:]
        if data:
            self._pending.append(data)
            self._waiting += len(data)

    def finish(self, entries: int = 0) -> Layer:
        """The tar is complete. Raises what the sink raised."""
        self._hand_on(b"")
        while self._under_way:
            self._under_way.popleft().result()
        self._thread.shutdown()
        self._put(self._compressor.flush())
        return Layer(
            digest=Digest("sha256:" + self._digest.hexdigest()),
            diff_id=Digest("sha256:" + self._diff_id.hexdigest()),
            size=self._size,
            entries=entries,
            tar_bytes=self._tar_bytes,
        )

    def _hand_on(self, last: bytes) -> None:
        """All that waits, as one piece; at most a few are under way."""
        piece = b"".join((*self._pending, last))
        self._pending, self._waiting = [], 0
        if len(self._under_way) == _PIECES:
            self._under_way.popleft().result()
        self._under_way.append(self._thread.submit(self._compress, piece))

    def _compress(self, piece: bytes) -> None:
        if self._is_broken:
            return
        self._is_broken = True
        self._tar_bytes += len(piece)
        self._diff_id.update(piece)
        self._put(self._compressor.compress(piece))
        self._is_broken = False

    def _put(self, data: bytes) -> None:
        if data:
            self._size += len(data)
            self._digest.update(data)
            self._sink(data)


class LayerWriter:
    """Writes one layer; `finish` says what it was."""

    def __init__(self, sink: Callable[[bytes], object], *, mtime: int = EPOCH) -> None:
        self._blob = TarCompressor(sink)
        self._tar = TarWriter(self._blob.write, mtime=mtime, layer=True)

    def add(self, entry: Entry, body: Readable | None = None) -> None:
        """One entry; its folder comes before it, a folder that is there already is left as it is."""
        self._tar.add(entry, body)

    def whiteout(self, path: str) -> None:
        """The path of the layers below is deleted."""
        self._tar.whiteout(path)

    def finish(self) -> Layer:
        """The layer is complete; nothing may be added."""
        self._tar.close()
        return self._blob.finish(self._tar.entries)


def _compressor() -> _Compressor:
    """ISA-L is 4.6 times as fast as zlib at the same ratio; there are platforms without a wheel of it."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    compressor: _Compressor = isal_zlib.compressobj(2, isal_zlib.DEFLATED, _GZIP)
    return compressor


def unpacked(blob: Iterable[bytes]) -> Iterator[bytes]:
    """The tar of a compressed layer in pieces of at most 1 MiB, whatever it grows to. Raises InvalidInput."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        for piece in blob:
            rest = piece
            while rest:
                yield unpacker.decompress(rest, _PIECE)
                rest = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error as error:
        raise InvalidInput(f"a layer is damaged: {error}", hint="Make it anew, without caches.") from None
    if not unpacker.eof:
        raise InvalidInput("a layer is damaged: its end is missing", hint="Make it anew, without caches.")
