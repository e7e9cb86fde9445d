"""Starts a dependency step from what the app's last one installed, where the builder cuts layers by package.

The builder's script first only says what it would install. Of packages that the last build installed in the same
version and by the same hashes, the sandbox is then given the dist-info: installers take them for installed. Their
files never go there: large ones' layers stand in, small ones' are copied from the last shared layer into the new
one. Only what was installed without running any package's code is ever used again (threats P04).
"""

from __future__ import annotations

import hashlib
import heapq
import io
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

from paas.builder import packages, sandboxed
from paas.builder.job import Job
from paas.builder.kept import Kept
from paas.builder.packages import Cut, Package
from paas.builder.scripts import Scripts
from paas.builder.split import Part
from paas.errors import InvalidInput, NotFound
from paas.oci import archive
from paas.oci.archive import CHANGES, Entry, Reader, TarWriter
from paas.oci.layers import Layer, unpacked
from paas.oci.streams import Chunks
from paas.ports import Sandbox

FOLDER = "dependencies"
"""Below the builder's destination: where its script tells what it chose, and leaves the RECORD files."""
STAGE, SCRIPT = "dependencies", "assemble-dependencies"
RESOLVE = "--resolve"
Items = Iterator[tuple[Entry, Reader]]
_LIMITS = archive.Limits(max_bytes=4 << 30, max_entries=1_000_000)
_TOLD = archive.Limits(max_bytes=64 << 20, max_entries=20_000)
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
    with ThreadPoolExecutor(1) as pool:  # reads while the script resolves
        reading = pool.submit(_infos, job, last)
        sandboxed.run_program(job, sandbox, (found.path(SCRIPT), RESOLVE), found.user, STAGE)
        wanted = told(sandbox, found, scope).lines
        infos = reading.result()
    same = {project for project, line in wanted.items() if last.lines.get(project) == line}
    known = packages.parse({entry.path: body for entry, body in infos if entry.path.endswith(".dist-info/RECORD")})
    if not same or any(package.runs_at_start for package in known):
        return Offer()
    given = [package for package in known if project_of(package.project) in same]
    own = {packages.part(package) for package in given} & last.parts.keys() - {packages.SHARED}
    sandbox.put([_packed(infos, frozenset(package.info for package in given))], "/")
    return Offer(tuple(given), {part: last.parts[part] for part in own})


def merged(job: Job, changed: Items, last: Kept | None, offered: Offer) -> Items:
    """What the sandbox changed, and the offered packages' files of the last shared layer, in the order of both."""
    if last is None or not offered.packages:
        return changed
    paths = frozenset(path for package in offered.packages for path in package.paths)
    return heapq.merge(changed, _of(job, last, lambda path: packages.source_of(path) in paths), key=_order)


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


def _infos(job: Job, last: Kept) -> list[tuple[Entry, bytes]]:
    """All dist-info folders of the shared layer, with the folders above them: small texts."""
    left, found = _TOLD.max_bytes, []
    for entry, body in _of(job, last, _info_of):
        left -= entry.size
        if left < 0:
            raise InvalidInput("the packages' notes of themselves are too large", hint="Build with --no-cache.")
        found.append((entry, body.read() if entry.kind == "file" else b""))
    return found


def _packed(entries: Iterable[tuple[Entry, bytes]], infos: frozenset[str]) -> bytes:
    """A tar of these dist-info folders."""
    out = bytearray()
    writer = TarWriter(out.extend)
    for entry, body in entries:
        is_above = entry.kind == "dir" and any(info.startswith(f"{entry.path}/") for info in infos)
        if is_above or _info_of(f"{entry.path}/") in infos:
            writer.add(entry, io.BytesIO(body) if entry.kind == "file" else None)
    writer.close()
    return bytes(out)


def _of(job: Job, last: Kept, is_wanted: Callable[[str], object]) -> Items:
    """Entries of the shared layer by their paths, with the folders above them."""
    waiting: list[Entry] = []
    for entry, body in _entries(job, last):
        waiting = [above for above in waiting if entry.path.startswith(f"{above.path}/")]
        if entry.kind == "dir":
            waiting.append(entry)
        elif is_wanted(entry.path):
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
    yield from archive.read_entries(Chunks(unpacked(blob)), _LIMITS, CHANGES)
