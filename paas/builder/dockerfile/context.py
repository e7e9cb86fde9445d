"""What of the source a Dockerfile sees: every file by name and digest, and the tars that COPY takes from it.

One pass over the source gives the index, by which COPY's cache keys are made; another one, only where something is
really copied, gives the bytes. Nothing is unpacked.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from paas.builder.dockerfile.dockerignore import Pattern
from paas.builder.source import Open
from paas.errors import InvalidInput
from paas.oci import archive, trees
from paas.oci.archive import Entry, Limits, Reader, TarWriter
from paas.oci.streams import Chunks, Readable

_PIECE = 1024 * 1024
_IN_MEMORY = 8 * 1024 * 1024


@dataclass(frozen=True)
class Context:
    """The source, as COPY names it."""

    open: Open
    limits: Limits
    is_ignored: Callable[[str], bool]
    entries: Mapping[str, Entry] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    """Of the files' bodies."""


def read(open_source: Open, limits: Limits, is_ignored: Callable[[str], bool]) -> Context:
    """Index a source. Raises InvalidInput."""
    entries: dict[str, Entry] = {}
    digests: dict[str, str] = {}
    for entry, body in archive.read_entries(Chunks(open_source()), limits):
        if not is_ignored(entry.path):
            entries[entry.path] = entry
        if entry.kind == "file":  # also where it is left out: a hard link to it may not be
            found = hashlib.sha256()
            while piece := body.read(_PIECE):
                found.update(piece)
            digests[entry.path] = found.hexdigest()
    return Context(open_source, limits, is_ignored, entries, digests)


@dataclass(frozen=True)
class Chosen:
    """What one source of a COPY names: paths of the context, each with its place below the destination."""

    places: Mapping[str, str]
    is_folder: bool
    """A folder's content is copied, not the folder."""


def choose(context: Context, source: str) -> Chosen | None:
    """The entries that a COPY's source names; None where there are none."""
    wanted = "/".join(name for name in source.split("/") if name not in ("", "."))
    if not wanted:
        return Chosen({path: path for path in context.entries}, is_folder=True)
    pattern, places, is_folder = Pattern(wanted), {}, False
    for path, entry in context.entries.items():
        covered = pattern.match(path)
        if not covered:
            continue
        names = path.split("/")
        is_top = len(names) == covered
        if is_top and entry.kind == "dir":
            is_folder = True
            continue
        # A folder's content goes to the destination itself, a file below its own name.
        places[path] = names[-1] if is_top else "/".join(names[covered:])
    return Chosen(places, is_folder) if places or is_folder else None


def fingerprint(context: Context, places: Mapping[str, str]) -> bytes:
    """The digest of what is copied: places, kinds, modes and contents."""
    found = hashlib.sha256()
    for path, place in sorted(places.items(), key=lambda pair: pair[1].encode("utf-8", "surrogateescape")):
        entry = context.entries[path]
        origin = entry.target if entry.kind == "hardlink" else path
        target = entry.target if entry.kind == "symlink" else ""
        facts = (place, "file" if entry.kind == "hardlink" else entry.kind, str(entry.mode), target)
        found.update("\0".join((*facts, context.digests.get(origin, ""))).encode("utf-8", "surrogateescape") + b"\n")
    return found.digest()


@dataclass(frozen=True)
class Look:
    """How copied files look at their place."""

    uid: int = 0
    gid: int = 0
    mode: int | None = None
    max_bytes: int = 1 << 33
    """Of what is copied at once."""


class Below(dict[str, str]):
    """All that lies below a folder, at the same places below another: nobody has to list it first."""

    def __init__(self, folder: str, place: str = "") -> None:
        super().__init__()
        self._folder = f"{folder}/" if folder else ""
        self._place = f"{place}/" if place else ""

    def moved(self, place: str) -> Below:
        """The same, elsewhere."""
        return Below(self._folder.rstrip("/"), place)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and path.startswith(self._folder) and path != self._folder

    def __getitem__(self, path: str) -> str:
        return self._place + path.removeprefix(self._folder)


@contextmanager
def tar(entries: Iterable[tuple[Entry, Readable]], places: Mapping[str, str], look: Look) -> Iterator[Iterator[bytes]]:
    """The chosen entries as a tar, at their places; an engine reads at its own pace, so it waits in a file."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        writer = TarWriter(file.write)
        copied = 0
        for entry, body in entries:
            if entry.path not in places:
                continue
            copied += entry.size
            if copied > look.max_bytes:
                raise InvalidInput(f"more than {look.max_bytes >> 20} MiB are copied at once", hint="Copy less.")
            if entry.kind == "hardlink" and entry.target not in places:
                raise trees.refuse(entry.path, "is a hard link to a file that is not copied", "Copy their folder.")
            target = places[entry.target] if entry.kind == "hardlink" else entry.target
            placed = _look(replace(entry, path=places[entry.path], target=target), look)
            writer.add(placed, body if entry.kind == "file" else None)
        writer.close()
        file.seek(0)
        yield iter(lambda: file.read(_PIECE), b"")


def entries(context: Context) -> Iterator[tuple[Entry, Reader]]:
    """All of the context's entries with their bodies; a hard link comes as a file of its own."""
    linked = {entry.target for entry in context.entries.values() if entry.kind == "hardlink"}
    bodies: dict[str, bytes] = {}
    for entry, body in archive.read_entries(Chunks(context.open()), context.limits):
        if entry.path in linked and entry.kind == "file":
            bodies[entry.path] = body.read()
            yield entry, Reader(Chunks([bodies[entry.path]]), entry.size)
        elif entry.kind == "hardlink":
            data = bodies.get(entry.target, b"")  # not asked for where it is left out itself
            yield replace(entry, kind="file", size=len(data), target=""), Reader(Chunks([data]), len(data))
        else:
            yield entry, body


def _look(entry: Entry, look: Look) -> Entry:
    mode = entry.mode if look.mode is None else look.mode
    return replace(entry, uid=look.uid, gid=look.gid, mode=mode)
