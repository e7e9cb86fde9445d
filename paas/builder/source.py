"""What a build reads of a source: names at its top and the contents of a few small files, in one pass of its tar.

The source is a blob of the registry in canonical form. Nothing is unpacked; memory holds only what was asked for.
A file that is a link is read at its target, which takes another pass.
"""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from paas.builder import ignore, messages
from paas.oci import archive
from paas.oci.archive import Entry, Limits
from paas.oci.streams import Chunks, Readable

MAX_TEXT = 1024 * 1024
MAX_LOCK = 8 * 1024 * 1024
"""Lock files are handed on; those of large apps pass a megabyte."""
_MAX_ALL = 32 * 1024 * 1024
_MAX_PASSES = 8

Open = Callable[[], Iterable[bytes]]
"""Starts the source's tar from its first byte."""


@dataclass(frozen=True)
class SourceFiles:
    """The part of a source that decisions are made on."""

    names: frozenset[str] = frozenset()
    """Everything at the top, and what was asked for below."""
    contents: Mapping[str, bytes] = field(default_factory=dict)
    """Of the files that were asked for and are there."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Asked for, but links: where they point (links whose target was read are in `contents`)."""
    entries: int = 0
    size: int = 0

    @functools.cached_property
    def is_ignored(self) -> Callable[[str], bool]:
        """Whether `.s2iignore` (or `.slugignore`) leaves a path out."""
        return ignore.parse(ignore.content(self.contents))


def inspect(stream: Readable, wanted: Mapping[str, int], limits: Limits) -> SourceFiles:
    """One pass. `wanted`: paths with how many bytes of each are read at most. Raises BuildFailed, InvalidInput."""
    names: set[str] = set()
    contents: dict[str, bytes] = {}
    links: dict[str, str] = {}
    entries = size = 0
    for entry, body in archive.read_entries(stream, limits):
        entries, size = entries + 1, size + entry.size
        if "/" not in entry.path or entry.path in wanted:
            names.add(entry.path)
        if entry.path not in wanted:
            continue
        if entry.kind == "file":
            limit = min(wanted[entry.path], _MAX_ALL - sum(map(len, contents.values())))
            if entry.size > limit:
                raise messages.file_too_large(entry.path, entry.size, limit)
            contents[entry.path] = body.read()
        elif entry.kind != "dir":
            links[entry.path] = _target(entry)
    return SourceFiles(frozenset(names), contents, links, entries, size)


def read(
    open_source: Open, wanted: Mapping[str, int], limits: Limits, more: Callable[[Mapping[str, bytes]], Iterable[str]]
) -> SourceFiles:
    """The wanted files, with what `more` finds named in them, as many passes as that takes.

    What `.s2iignore` leaves out is not there. Raises BuildFailed, InvalidInput.
    """
    asked = dict(wanted)
    for _ in range(_MAX_PASSES):
        files = inspect_blob(open_source, asked, limits)
        found = _followed(files)
        named = {*more(found.contents), *files.links.values()}
        if named <= asked.keys():
            break
        asked |= dict.fromkeys(named - asked.keys(), MAX_TEXT)
    return _without_ignored(found)


def inspect_blob(open_source: Open, wanted: Mapping[str, int], limits: Limits) -> SourceFiles:
    """One pass over the source from its beginning."""
    return inspect(Chunks(open_source()), wanted, limits)


def _target(entry: Entry) -> str:
    """The path in the source that a link points to; the checked tree never leads out."""
    if entry.kind == "hardlink":
        return entry.target
    return posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), entry.target))


def _followed(files: SourceFiles) -> SourceFiles:
    """Links whose end was read are files like any other."""
    contents, links = dict(files.contents), dict(files.links)
    for path in files.links:
        end = path
        for _ in range(_MAX_PASSES):
            end = files.links.get(end, end)
        if end in files.contents:
            contents[path] = files.contents[end]
            del links[path]
    return replace(files, contents=contents, links=links)


def _without_ignored(files: SourceFiles) -> SourceFiles:
    is_ignored = files.is_ignored
    return replace(
        files,
        names=frozenset(path for path in files.names if not is_ignored(path)),
        contents={path: body for path, body in files.contents.items() if path in ignore.FILES or not is_ignored(path)},
        links={path: target for path, target in files.links.items() if not is_ignored(path)},
    )
