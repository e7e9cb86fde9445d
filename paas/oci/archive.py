"""The one module that reads and writes tars.

A stranger's archive is a stream of entries: read once, judged, and written anew in one canonical form.
Nothing is ever unpacked on the host. What was not understood is refused as a whole; owners' names, times,
extended attributes, setuid and setgid are not carried over.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

from paas.errors import InvalidInput
from paas.oci import tarheaders, trees
from paas.oci.streams import Readable, read_up_to
from paas.oci.tarheaders import BLOCK, Header, damaged
from paas.oci.tarwriter import EPOCH, TYPES, TarWriter
from paas.oci.trees import CHANGES, SOURCE, Entry, Kind, Limits, Rules, refuse

__all__ = ["CHANGES", "EPOCH", "SOURCE", "Entry", "Limits", "Reader", "Rules", "TarWriter", "canonical", "read_entries"]

_PIECE = 1024 * 1024
_END_MAX = 4 * 1024 * 1024
_IN_MEMORY = 8 * 1024 * 1024
_KINDS: dict[bytes, Kind] = {flag: kind for kind, flag in TYPES.items()}


class Reader:
    """The body of one entry; read it before the next entry, what is left is skipped."""

    def __init__(self, stream: Readable, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, n: int = -1, /) -> bytes:
        """At most n bytes, all that is left if n is negative, none at the end."""
        wanted = self._left if n < 0 else min(n, self._left)
        if not wanted:
            return b""
        data = read_up_to(self._stream, wanted) if n < 0 else self._stream.read(wanted)
        if not data or (n < 0 and len(data) < wanted):
            raise damaged("it ends in the middle of a file")
        self._left -= len(data)
        return data

    def skip(self) -> None:
        """Go to the end."""
        while self.read(_PIECE):
            pass


def read_entries(stream: Readable, limits: Limits, rules: Rules = SOURCE) -> Iterator[tuple[Entry, Reader]]:
    """The entries of an untrusted tar as they come.

    An archive counts only when the last entry was reached: the end is where truncation and symlinks that lead
    out are found. Raises InvalidInput.
    """
    tree = trees.Tree(limits, rules)
    seen = 0
    while header := _next_header(stream):
        seen += 1
        if seen > 2 * limits.max_entries:
            raise InvalidInput(f"The archive holds more than {limits.max_entries} entries.", hint=trees.ASK)
        body = Reader(stream, header.size)
        entry = _parse_entry(header, limits, rules)
        if entry and tree.admit(entry):
            yield entry, body
        body.skip()
        if len(read_up_to(stream, tarheaders.padding(header.size))) < tarheaders.padding(header.size):
            raise damaged("it ends in the middle of a file")
    _check_end(stream)
    tree.check_symlinks()


def canonical(stream: Readable, limits: Limits, sink: Callable[[bytes], object], *, spool: Path | None = None) -> int:
    """An untrusted source as the one tar of its tree, whatever the order it came in; how many entries.

    Sorted by the bytes of the path, every folder named, owner 0, modes 0644 and 0755. The bodies wait in a
    temporary file (in `spool`): the sink gets nothing of a source that is refused.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(spool) if spool else None) as bodies:
        found: dict[str, Entry] = {}
        offsets: dict[str, int] = {}
        for entry, body in read_entries(stream, limits):
            found[entry.path] = _plain(entry, found)
            _name_folders(entry.path, found)
            if entry.kind == "file":
                offsets[entry.path] = bodies.tell()
                shutil.copyfileobj(cast(IO[bytes], body), bodies, _PIECE)
        writer = TarWriter(sink)
        for entry, origin in _in_order(found):
            if origin:
                bodies.seek(offsets[origin])
            writer.add(entry, cast(IO[bytes], bodies))
        writer.close()
        return writer.entries


def _next_header(stream: Readable) -> Header | None:
    """The next header with its extensions applied; None at the end marker."""
    extensions: dict[bytes, bytes] = {}
    while True:
        block = read_up_to(stream, BLOCK)
        if len(block) < BLOCK:
            raise damaged("it ends without an end marker")
        if not block.strip(b"\0"):
            if extensions.keys() - {tarheaders.PAX_GLOBAL}:
                raise damaged("it ends in the middle of a header")
            return None
        header = tarheaders.decode(block)
        if header.type not in tarheaders.EXTENSIONS:
            break
        if header.type in extensions or header.size > tarheaders.EXTENSION_MAX:
            raise damaged("an extension header is repeated or too long")
        extensions[header.type] = _extension_body(stream, header.size)
    header.name = extensions.get(tarheaders.GNU_NAME, header.name).rstrip(b"\0")
    header.link = extensions.get(tarheaders.GNU_LINK, header.link).rstrip(b"\0")
    if tarheaders.PAX in extensions:
        tarheaders.apply_records(header, tarheaders.parse_records(extensions[tarheaders.PAX]))
    return header


def _extension_body(stream: Readable, size: int) -> bytes:
    whole = size + tarheaders.padding(size)
    body = read_up_to(stream, whole)
    if len(body) < whole:
        raise damaged("it ends in the middle of a header")
    return body[:size]


def _parse_entry(header: Header, limits: Limits, rules: Rules) -> Entry | None:
    """The header as an entry; None for the root itself and for what is left out."""
    name = header.name.decode("utf-8", "surrogateescape")
    kind = _KINDS.get(header.type)
    if header.type in tarheaders.DEVICES and rules.drop_devices and not header.size:
        return None
    if kind is None:
        raise refuse(name, "is a device, a fifo, sparse or of an unknown type", "Pack only files, folders and links.")
    if header.size and kind != "file":
        raise refuse(name, f"is a {kind} with a size", "Make the archive anew with another program.")
    path = trees.normal_path(name, limits)
    if not path:
        if kind != "dir":
            raise refuse(name, "has no name", "Name it.")
        return None
    target = header.link.decode("utf-8", "surrogateescape") if kind in ("symlink", "hardlink") else ""
    if kind == "hardlink":
        target = trees.normal_path(target, limits)
    mode = 0o777 if kind == "symlink" else header.mode & 0o1777
    return Entry(path, kind, mode, header.size, target, header.uid, header.gid)


def _check_end(stream: Readable) -> None:
    """After the end marker only zeros may come, and not for ever."""
    left = _END_MAX
    while data := stream.read(_PIECE):
        left -= len(data)
        if left < 0 or data.strip(b"\0"):
            raise damaged("something follows its end marker")


def _plain(entry: Entry, found: Mapping[str, Entry]) -> Entry:
    """Without what a source does not keep; a hard link points at the file that has the body."""
    if entry.kind == "hardlink":
        entry = replace(entry, target=found[entry.target].target or entry.target)
    mode = 0o755 if entry.kind == "dir" or entry.mode & 0o100 else 0o644
    return replace(entry, mode=mode, uid=0, gid=0)


def _name_folders(path: str, found: dict[str, Entry]) -> None:
    while (path := trees.parent(path)) and path not in found:
        found[path] = Entry(path, "dir", 0o755)


def _in_order(found: Mapping[str, Entry]) -> Iterator[tuple[Entry, str]]:
    """The entries sorted, each with the path under which its body came, if it carries one.

    Which of several hard links came as the file is an accident: here it is the first one by name.
    """
    carriers: dict[str, str] = {}
    for path in sorted(found, key=lambda name: name.encode("utf-8", "surrogateescape")):
        entry = found[path]
        if entry.kind not in ("file", "hardlink"):
            yield entry, ""
            continue
        origin = entry.target or path
        carrier = carriers.setdefault(origin, path)
        if carrier == path:
            yield replace(found[origin], path=path), origin
        else:
            yield replace(found[origin], path=path, kind="hardlink", size=0, target=carrier), ""
