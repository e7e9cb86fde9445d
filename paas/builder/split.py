"""Cuts a stream of changes into layers by their paths, in one pass and constant memory.

A path decides where an entry goes; its folders go into each layer that needs them, since an engine makes missing
ones unreadable. A hard link goes where the file it names went: across layers it would point at nothing.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from paas.oci.archive import Entry
from paas.oci.streams import Readable
from paas.ports import Changes

Part = str
"""A layer's name: `dependencies`, `source`, or what a rule calls it."""
IsDependency = Callable[[str], bool]
PartOf = Callable[[str], Part]

APP_USER = 1001
"""Who owns an app's files, with group 0: any user id of that group can run it (OpenShift's rule)."""
_ANYWHERE = frozenset({"site-packages", "node_modules", ".m2"})


class Writer(Protocol):
    """A layer that is being written."""

    def add(self, entry: Entry, body: Readable | None = None) -> None: ...

    def whiteout(self, path: str) -> None: ...


def dependency_rule(prefixes: Sequence[str]) -> IsDependency:
    """The builder's own paths, and what no source keeps its own files in."""
    own = [prefix.strip("/") for prefix in prefixes]

    def is_dependency(path: str) -> bool:
        if any(path == prefix or path.startswith(prefix + "/") for prefix in own):
            return True
        names = path.split("/")
        return not _ANYWHERE.isdisjoint(names) or ("vendor", "bundle") in itertools.pairwise(names)

    return is_dependency


def split(changes: Changes, is_dependency: IsDependency, open_layer: Callable[[Part], Writer]) -> None:
    """Cut into two: what installers brought, and all else."""
    cut(changes, lambda path: "dependencies" if is_dependency(path) else "source", open_layer)


def cut(changes: Changes, part_of: PartOf, open_layer: Callable[[Part], Writer]) -> None:
    """Write each change into its layer; a layer is opened with its first entry, so an empty one never is."""
    made = _Cut(part_of, open_layer)
    for entry, body in changes.entries:
        made.add(entry, body)
    made.finish(changes.deleted)


class _Cut:
    """Remembers folders and where hard links' files went; no contents."""

    def __init__(self, part_of: PartOf, open_layer: Callable[[Part], Writer]) -> None:
        self._part = part_of
        self._open_layer = open_layer
        self._layers: dict[Part, Writer] = {}
        self._folders: dict[str, Entry] = {}
        self._written: defaultdict[Part, set[str]] = defaultdict(set)
        self._used: set[str] = set()
        self._moved: dict[str, Part] = {}

    def add(self, entry: Entry, body: Readable) -> None:
        if entry.kind == "dir":
            self._folders[entry.path] = entry
            return
        part = self._part(entry.path)
        if entry.kind == "hardlink" and (origin := self._moved.get(entry.target, self._part(entry.target))) != part:
            self._moved[entry.path] = part = origin
        self._name_folders(part, entry.path)
        self._layer(part).add(entry, body if entry.kind == "file" else None)

    def finish(self, deleted: Sequence[str]) -> None:
        """Deleted paths, and the folders in which nothing else was written."""
        for path in sorted(deleted, key=_order):
            part = self._part(path)
            self._name_folders(part, path)
            self._layer(part).whiteout(path)
        for path in sorted(self._folders, key=_order, reverse=True):  # the deepest names those above it
            if path not in self._used:
                self._name_folders(part := self._part(path), f"{path}/")

    def _layer(self, part: Part) -> Writer:
        if part not in self._layers:
            self._layers[part] = self._open_layer(part)
        return self._layers[part]

    def _name_folders(self, part: Part, path: str) -> None:
        for folder in _folders_of(path):
            if folder not in self._written[part]:
                self._written[part].add(folder)
                self._layer(part).add(self._folders.get(folder) or plain_folder(folder))
            self._used.add(folder)


def plain_folder(path: str) -> Entry:
    """A folder that the image has and no change described, as builders make it: the app's own below /opt and /home."""
    is_own = path.startswith(("opt/", "home/"))
    return Entry(path, "dir", 0o775 if is_own else 0o755, uid=APP_USER if is_own else 0)


def _folders_of(path: str) -> Iterator[str]:
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _order(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
