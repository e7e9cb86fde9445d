"""Starts a dependency step from what the app's last one installed, where the builder cuts layers by package.

The builder's script first only says what it would install. Of packages that the last build installed in the same
version and by the same hashes, the sandbox is then given the dist-info: installers take them for installed. Their
files never go there: large ones' layers stand in, small ones' are copied from the last shared layer into the new
one. Only what was installed without running any package's code is ever used again (threats P04).
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile

from paas.builder import packages, sandboxed
from paas.builder.job import Job
from paas.builder.kept import Kept
from paas.builder.packages import Cut, Package
from paas.builder.scripts import Scripts
from paas.builder.split import Part
from paas.errors import InvalidInput, NotFound
from paas.oci import archive
from paas.oci.archive import CHANGES, Entry, Reader, TarWriter
from paas.oci.layers import Layer
from paas.oci.streams import Chunks
from paas.ports import Sandbox

FOLDER = "dependencies"
"""Below the builder's destination: where its script tells what it chose, and leaves the RECORD files."""
STAGE, SCRIPT = "dependencies", "assemble-dependencies"
RESOLVE = "--resolve"
Items = Iterator[tuple[Entry, Reader]]
_LIMITS = archive.Limits(max_bytes=4 << 30, max_entries=1_000_000)
_TOLD = archive.Limits(max_bytes=64 << 20, max_entries=20_000)
_GZIP, _PIECE, _IN_MEMORY = 31, 1 << 20, 16 << 20
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==\S+(?: .*)?")


@dataclass(frozen=True)
class Told:
    """What a script said of its work."""

    lines: Mapping[str, str] = field(default_factory=dict)
    """By project: a digest of its version and hashes; empty where a package's code may have run."""
    cut: Cut = field(default_factory=Cut)
    shared_files: frozenset[str] = frozenset()
    """That more than one package has."""


@dataclass(frozen=True)
class Offer:
    """What a sandbox was given of the last build's packages."""

    packages: tuple[Package, ...] = ()
    layers: Mapping[Part, Layer] = field(default_factory=dict)
    """Of the large ones: they stand in for the files."""

    def is_sound(self, told: Told) -> bool:
        """Will it come out as it would have from nothing? Not if a file of it is another package's too."""
        if not self.packages:
            return True
        is_alone = told.shared_files.isdisjoint(path for package in self.packages for path in package.paths)
        return bool(told.lines) and is_alone and self.layers.keys() <= set(told.cut.order)


def offer(job: Job, sandbox: Sandbox, found: Scripts, scope: str, last: Kept | None) -> Offer:
    """Put into the sandbox what of the last build's packages is wanted again. Raises BuildFailed, Unavailable."""
    if last is None or not last.lines:
        return Offer()
    sandboxed.run_program(job, sandbox, (found.path(SCRIPT), RESOLVE), found.user, STAGE)
    wanted = told(sandbox, found, scope).lines
    same = {project for project, line in wanted.items() if last.lines.get(project) == line}
    known = packages.parse(dict(_records(job, last)))
    if not same or any(package.runs_at_start for package in known):
        return Offer()
    given = [package for package in known if project_of(package.project) in same]
    own = {packages.part(package) for package in given} & last.parts.keys() - {packages.SHARED}
    with SpooledTemporaryFile(_IN_MEMORY) as file:
        writer = TarWriter(file.write)
        for entry, body in _of(job, last, infos=frozenset(package.info for package in given)):
            writer.add(entry, body if entry.kind == "file" else None)
        writer.close()
        file.seek(0)
        sandbox.put(iter(lambda: file.read(_PIECE), b""), "/")
    return Offer(tuple(given), {part: last.parts[part] for part in own})


def merged(job: Job, changed: Items, last: Kept | None, offered: Offer) -> Items:
    """What the sandbox changed, and the offered packages' files of the last shared layer, in the order of both."""
    if last is None or not offered.packages:
        return changed
    paths = frozenset(path for package in offered.packages for path in package.paths)
    return heapq.merge(changed, _of(job, last, paths=paths), key=_order)


def told(sandbox: Sandbox, found: Scripts, scope: str) -> Told:
    """What the script left in its folder; nothing where it does not know of it.

    `scope`: the name of all that the packages depend on beside their own lines.
    """
    records, pinned = {}, ""
    top = f"{found.destination}/{FOLDER}".strip("/")
    left = _TOLD.max_bytes
    try:
        with closing(sandbox.read(f"/{top}")) as entries:
            for entry, body in itertools.islice(entries, _TOLD.max_entries):
                left -= entry.size
                if entry.kind != "file" or left < 0:
                    continue
                if entry.path == f"{top}/pinned.txt":
                    pinned = body.read().decode("utf-8", "replace")
                elif entry.path.startswith(f"{top}/records/"):
                    records[entry.path.removeprefix(f"{top}/records/")] = body.read()
    except NotFound:
        return Told()
    known = packages.parse(records)
    return Told(_lines(pinned, scope), packages.cut(known), packages.shared_files(known))


def project_of(name: str) -> str:
    """A project's one name, whoever writes it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _lines(pinned: str, scope: str) -> dict[str, str]:
    found = {}
    for line in pinned.splitlines():
        if match := _PIN.fullmatch(line.strip()):
            found[project_of(match[1])] = hashlib.sha256(f"{scope} {line.strip()}".encode()).hexdigest()[:32]
    return found


def _records(job: Job, last: Kept) -> Iterator[tuple[str, bytes]]:
    for entry, body in _entries(job, last):
        if entry.kind == "file" and entry.path.endswith(".dist-info/RECORD"):
            yield entry.path, body.read()


def _of(job: Job, last: Kept, *, infos: frozenset[str] = frozenset(), paths: frozenset[str] = frozenset()) -> Items:
    """Entries of the shared layer that lie in these folders, or are these files or made from them; with folders."""
    waiting: list[Entry] = []
    for entry, body in _entries(job, last):
        waiting = [above for above in waiting if entry.path.startswith(f"{above.path}/")]
        if entry.kind == "dir":
            waiting.append(entry)
        elif _info_of(entry.path) in infos or packages.source_of(entry.path) in paths:
            yield from ((folder, body) for folder in waiting)
            waiting = []
            yield entry, body


def _order(item: tuple[Entry, Reader]) -> list[bytes]:
    return [name.encode("utf-8", "surrogateescape") for name in item[0].path.split("/")]


def _info_of(path: str) -> str:
    head, mark, _ = path.partition(".dist-info/")
    return f"{head}.dist-info" if mark else ""


def _entries(job: Job, last: Kept) -> Items:
    """Of the shared layer, as this platform wrote it."""
    blob = job.tools.registry.open_blob(job.dependency_repository, last.parts[packages.SHARED].digest)
    yield from archive.read_entries(Chunks(_unpacked(blob)), _LIMITS, CHANGES)


def _unpacked(blob: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        for piece in blob:
            rest = piece
            while rest:
                yield unpacker.decompress(rest, _PIECE)
                rest = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error as error:
        raise InvalidInput(f"a kept layer is damaged: {error}", hint="Build with --no-cache.") from None
