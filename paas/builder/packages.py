"""Cuts installed Python packages into layers: each large one has its own, all others share the topmost.

So one more dependency moves itself and the small ones, not numpy. The cut is a function of what is installed, never
of how it came there (the digest law): of the RECORD that every installed wheel has of its files
(packaging.python.org, "Recording installed projects"), which stays in the shared layer.
"""

from __future__ import annotations

import csv
import io
import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from paas.builder.split import Part

SHARED = "dependencies"
"""The layer of all that has none of its own."""
LARGE = 2 * 1024 * 1024
"""Bytes of files, from which on a package has a layer of its own."""
MOST = 16
"""An image may have 127 layers; each one costs an engine about 40 ms."""
_RECORD = ".dist-info/RECORD"
_STARTED_BY_PYTHON = ("sitecustomize.py", "usercustomize.py")


@dataclass(frozen=True)
class Package:
    """What one RECORD says."""

    name: str
    """`numpy-2.5.5`"""
    info: str
    """Path of its dist-info folder, from the root."""
    paths: frozenset[str]
    """Its files from the root, without bytecode and its dist-info folder."""
    size: int
    """Bytes of these files."""

    @property
    def project(self) -> str:
        """`numpy`"""
        return self.name.partition("-")[0].lower()

    @property
    def runs_at_start(self) -> bool:
        """Does every start of Python run code of it?"""
        site = posixpath.dirname(self.info)
        return any(
            posixpath.dirname(path) == site and path.endswith((".pth", *_STARTED_BY_PYTHON)) for path in self.paths
        )


@dataclass(frozen=True)
class Cut:
    """Which layers there are, and what goes where."""

    order: tuple[Part, ...] = (SHARED,)
    """From below: large ones first, so that most additions leave what is below them in place."""
    owners: Mapping[str, Part] = field(default_factory=dict)

    def part_of(self, path: str) -> Part:
        """The layer of a path."""
        return self.owners.get(path) or self.owners.get(source_of(path), SHARED)


def parse(records: Mapping[str, bytes]) -> tuple[Package, ...]:
    """The packages of RECORD files by their path from the root; one that cannot be read is left out."""
    found = (_parse(path, content) for path, content in sorted(records.items()) if path.endswith(_RECORD))
    return tuple(package for package in found if package)


def cut(packages: Iterable[Package]) -> Cut:
    """A package that shares a file with another one, or writes beside the venv, has no layer of its own."""
    known = tuple(packages)
    shared = shared_files(known)
    names = Counter(package.project for package in known)
    own = [
        package
        for package in known
        if package.size >= LARGE
        and names[package.project] == 1
        and shared.isdisjoint(package.paths)
        and all(_is_below(path, package.info) for path in package.paths)
    ]
    own.sort(key=lambda package: (-package.size, package.project))
    owners = {path: part(package) for package in own[:MOST] for path in package.paths}
    return Cut((*(part(package) for package in own[:MOST]), SHARED), owners)


def shared_files(packages: Iterable[Package]) -> frozenset[str]:
    """That more than one package has: which of them is there depends on who came last."""
    claims = Counter(path for package in packages for path in package.paths)
    return frozenset(path for path, count in claims.items() if count > 1)


def part(package: Package) -> Part:
    """The name of its own layer, if it has one."""
    return f"{SHARED}/{package.project}"


def source_of(path: str) -> str:
    """The module that a file of bytecode was made from (PEP 3147); another path is its own."""
    folder, _, name = path.rpartition("/")
    above, _, last = folder.rpartition("/")
    if last != "__pycache__" or not name.endswith(".pyc"):
        return path
    return f"{above}/{name.removesuffix('.pyc').rpartition('.')[0]}.py"


def _parse(path: str, content: bytes) -> Package | None:
    info = path.removesuffix("/RECORD")
    site, _, folder = info.rpartition("/")
    paths, size = set(), 0
    try:
        for row in csv.reader(io.StringIO(content.decode())):
            named = posixpath.normpath(posixpath.join(site, row[0]))
            if not named.startswith(f"{info}/") and not named.endswith(".pyc"):
                paths.add(named)
                size += int(row[2] or 0)
    except (ValueError, IndexError, csv.Error):
        return None
    return Package(folder.removesuffix(".dist-info"), info, frozenset(paths), size)


def _is_below(path: str, info: str) -> bool:
    """Inside the venv: `lib/python3.13/site-packages/NAME.dist-info` lies four levels below it."""
    root = "/".join(info.split("/")[:-4])
    return bool(root) and path.startswith(f"{root}/")
