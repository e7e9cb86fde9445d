"""What a tree of files may look like, judged entry by entry and once as a whole.

Host code never follows these paths; the sandbox and the engine do. So a tree is refused where a path
could come to lie outside: by its name, through a symlink, or by a chain of symlinks that each look harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from paas.errors import InvalidInput

Kind = Literal["file", "dir", "symlink", "hardlink"]
ASK = "Leave out what the app does not need, or ask for a higher limit."
_HOPS = 40
"""Symlinks on one way, as in Linux."""


@dataclass(frozen=True)
class Limits:
    """How much of an archive is read before it is refused."""

    max_bytes: int
    """Of all file bodies together."""
    max_entries: int
    """Directories that are only implied count too."""
    max_depth: int = 100
    max_path_bytes: int = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, directory or link of a tree."""

    path: str
    """Relative and normalised; bytes that are not UTF-8 are surrogate escapes."""
    kind: Kind
    mode: int
    size: int = 0
    target: str = ""
    """A symlink's text as it is, or the path of an earlier file for a hard link."""
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Rules:
    """What differs between a pushed source and what a sandbox changed in an image."""

    free_symlinks: bool
    """Symlinks may point anywhere: they will be followed inside the image only."""
    repeated_directories: bool
    """A directory may come again; the first one counts."""
    drop_devices: bool
    """Devices and fifos are left out in silence instead of refusing the archive."""


SOURCE = Rules(free_symlinks=False, repeated_directories=False, drop_devices=False)
CHANGES = Rules(free_symlinks=True, repeated_directories=True, drop_devices=True)


def refuse(path: str, why: str, hint: str) -> InvalidInput:
    """The refusal of a whole archive because of one entry."""
    return InvalidInput(f"{shown(path)} {why}.", hint=hint, entry=shown(path))


def shown(path: str) -> str:
    """A stranger's file name, fit for a terminal."""
    return repr(path if len(path) <= 200 else path[:200] + "…").encode("utf-8", "backslashreplace").decode()


def normal_path(path: str, limits: Limits) -> str:
    """The path in its one form, or the refusal; empty for the root itself."""
    if "\0" in path:
        raise refuse(path, "has a NUL in its name", "Rename it.")
    if path.startswith("/"):
        raise refuse(path, "is an absolute path", "Pack the files relative to the top of the source.")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refuse(path, "climbs out with '..'", "Pack the files relative to the top of the source.")
    if len(parts) > limits.max_depth:
        raise refuse(path, f"lies deeper than {limits.max_depth} folders", "Flatten the folders.")
    normal = "/".join(parts)
    if len(normal.encode("utf-8", "surrogateescape")) > limits.max_path_bytes:
        raise refuse(path, f"has a path longer than {limits.max_path_bytes} bytes", "Shorten its name.")
    return normal


def parent(path: str) -> str:
    """The directory it lies in; empty at the top."""
    return path.rpartition("/")[0]


class Tree:
    """The shape of a tree while it goes by: enough to refuse, no contents."""

    def __init__(self, limits: Limits, rules: Rules) -> None:
        self._limits = limits
        self._rules = rules
        self._kinds: dict[str, Kind | Literal["implied"]] = {}
        self._targets: dict[str, str] = {}
        self._bytes = 0

    def admit(self, entry: Entry) -> bool:
        """Take one entry in or refuse the archive; False for a directory that was there before."""
        known = self._kinds.get(entry.path)
        if known == "dir" and entry.kind == "dir" and self._rules.repeated_directories:
            return False
        if known is not None and not (known == "implied" and entry.kind == "dir"):
            raise refuse(entry.path, "is in the archive twice", "Pack each path once.")
        self._imply(parent(entry.path), entry.path)
        self._kinds[entry.path] = entry.kind
        if entry.kind == "hardlink":
            self._check_hardlink(entry)
        elif entry.kind == "symlink":
            self._take_symlink(entry)
        self._bytes += entry.size
        self._check_amount(entry)
        return True

    def implied(self) -> list[str]:
        """Directories that no entry named."""
        return [path for path, kind in self._kinds.items() if kind == "implied"]

    def check_symlinks(self) -> None:
        """Follow each symlink through the whole tree: none may leave it, none may go in circles."""
        if self._rules.free_symlinks:
            return
        ends: dict[str, tuple[str, int]] = {}
        for path in self._targets:
            self._follow(path, ends, 1)

    def _imply(self, folder: str, path: str) -> None:
        while folder and (kind := self._kinds.get(folder)) != "dir":
            if kind == "implied":
                return
            if kind is not None:
                raise refuse(path, f"passes through the {kind} {shown(folder)}", "Make that path a folder.")
            self._kinds[folder] = "implied"
            folder = parent(folder)

    def _check_hardlink(self, entry: Entry) -> None:
        if entry.target == entry.path or self._kinds.get(entry.target) not in ("file", "hardlink"):
            raise refuse(
                entry.path,
                f"is a hard link to {shown(entry.target)}, which is no earlier file of the archive",
                "Replace it by a copy of the file.",
            )

    def _take_symlink(self, entry: Entry) -> None:
        target, limits = entry.target, self._limits
        if not target or "\0" in target or len(target.encode("utf-8", "surrogateescape")) > 4 * limits.max_path_bytes:
            raise refuse(entry.path, "is a symlink with an empty or overlong target", "Remove it.")
        if self._rules.free_symlinks:
            return
        if target.startswith("/"):
            raise refuse(entry.path, f"is a symlink to the absolute path {shown(target)}", "Use a relative target.")
        if target.count("/") > limits.max_depth:
            raise refuse(entry.path, f"is a symlink deeper than {limits.max_depth} folders", "Shorten its target.")
        self._targets[entry.path] = target

    def _check_amount(self, entry: Entry) -> None:
        if self._bytes > self._limits.max_bytes:
            raise refuse(
                entry.path,
                f"takes the archive over its limit of {self._limits.max_bytes} bytes",
                ASK,
            )
        if len(self._kinds) > self._limits.max_entries:
            raise refuse(
                entry.path,
                f"takes the archive over its limit of {self._limits.max_entries} entries",
                ASK,
            )

    def _follow(self, path: str, ends: dict[str, tuple[str, int]], depth: int) -> tuple[str, int]:
        """Where the symlink leads, and how many symlinks deep; known ends keep the work linear."""
        if path in ends:
            return ends[path]
        place, most = parent(path), 0
        for part in self._targets[path].split("/"):
            if part in ("", "."):
                continue
            if part == "..":
                if not place:
                    raise refuse(path, "is a symlink that leads out of the source", "Point it inside the source.")
                place = parent(place)
                continue
            place = f"{place}/{part}" if place else part
            if place in self._targets:
                place, inner = self._follow(place, ends, depth + 1) if depth <= _HOPS else ("", _HOPS)
                most = max(most, inner)
        if most + 1 > _HOPS:
            raise refuse(path, "is a symlink in a circle or an endless chain", "Point it at a file or a folder.")
        ends[path] = place, most + 1
        return ends[path]
