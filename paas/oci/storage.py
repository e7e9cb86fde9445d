"""The registry's disk, as docker-registry's filesystem driver lays it out (distribution's `registry/storage/paths.go`).

Its API lists neither images without a tag nor blobs, and its own garbage collection takes blobs that no image names:
sources are such. So what is there is read from the disk; what belongs to a repository is taken away by the API, and
data that no repository has by a move into a folder of its own, from where it comes back if it was needed after all.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_ROOT = Path("docker/registry/v2")
_TRASH = "unneeded"
_MAX_MANIFEST = 8 * 1024 * 1024
_HEX = re.compile(r"[0-9a-f]{64}")


class Revision(NamedTuple):
    """A manifest in a repository; its parts are config and layers, or the images that it lists."""

    repository: str
    digest: str
    parts: frozenset[str]
    age: float
    """Seconds."""


class Linked(NamedTuple):
    """A blob that belongs to a repository."""

    repository: str
    digest: str
    age: float


class Contents(NamedTuple):
    """All that the registry holds; of each blob's data the bytes and the age."""

    revisions: list[Revision]
    links: list[Linked]
    blobs: dict[str, tuple[int, float]]


@dataclass(frozen=True)
class Storage:
    """The folder that the registry was given."""

    folder: Path

    @property
    def _repositories(self) -> Path:
        return self.folder / _ROOT / "repositories"

    @property
    def _blobs(self) -> Path:
        return self.folder / _ROOT / "blobs/sha256"

    @property
    def _trash(self) -> Path:
        return self.folder / _TRASH

    def contents(self) -> Contents:
        """What vanishes meanwhile is left out."""
        now = time.time()
        revisions, links, blobs = [], [], {}
        for repository, path in self._found():
            for digest, age in _linked(path / "_manifests/revisions/sha256", now):
                revisions.append(Revision(repository, digest, self._parts(digest), age))
            links += [Linked(repository, digest, age) for digest, age in _linked(path / "_layers/sha256", now)]
        for path in self._blobs.glob("*/*/data"):
            if seen := _stat(path):
                blobs[f"sha256:{path.parent.name}"] = (seen[0], now - seen[1])
        return Contents(revisions, links, blobs)

    def tags(self, repository: str) -> dict[str, str]:
        """Digest by tag."""
        found = {}
        for path in (self._repositories / repository / "_manifests/tags").glob("*/current/link"):
            text = _read(path).decode("ascii", "replace").strip()
            if text:
                found[path.parent.parent.name] = text
        return found

    def repositories(self) -> list[str]:
        return [repository for repository, _ in self._found()]

    def set_aside(self, digests: Collection[str]) -> int:
        """Take blobs' data out of the registry's sight, unless a repository has them; how many."""
        linked = self._all_linked()
        chosen = [digest for digest in digests if digest not in linked and self._data(digest).exists()]
        self._trash.mkdir(exist_ok=True)
        for digest in chosen:
            self._data(digest).replace(self._aside(digest))
            self._aside(digest).touch()
        again = self._all_linked() if chosen else set()
        back = [digest for digest in chosen if digest in again]
        for digest in back:  # somebody came between
            self._restore(digest)
        return len(chosen) - len(back)

    def empty_trash(self, age: float) -> int:
        """Remove data that was set aside so many seconds ago, and bring back what is needed again; bytes freed."""
        freed, now, linked = 0, time.time(), self._all_linked()
        for path in self._trash.glob("*"):
            digest, seen = f"sha256:{path.name}", _stat(path)
            if digest in linked:
                self._restore(digest)
            elif seen and now - seen[1] >= age:
                path.unlink(missing_ok=True)
                freed += seen[0]
        return freed

    def remove_repository(self, repository: str) -> None:
        """Nothing of a repository is left but data, which is the next collection's."""
        shutil.rmtree(self._repositories / repository, ignore_errors=True)

    def _found(self) -> Iterator[tuple[str, Path]]:
        for path in sorted(self._repositories.glob("**/_layers")):
            yield path.parent.relative_to(self._repositories).as_posix(), path.parent

    def _parts(self, digest: str) -> frozenset[str]:
        """What a manifest, or an index, names. A manifest that cannot be read names nothing: it is no image."""
        try:
            document = json.loads(_read(self._data(digest)))
            named = [document.get("config") or {}, *document.get("layers", []), *document.get("manifests", [])]
            return frozenset(str(entry["digest"]) for entry in named if "digest" in entry)
        except (ValueError, AttributeError, TypeError):
            return frozenset()

    def _all_linked(self) -> set[str]:
        """What any repository has."""
        folders = (path / inner for _, path in self._found() for inner in ("_layers", "_manifests/revisions"))
        return {f"sha256:{link.parent.name}" for folder in folders for link in folder.glob("sha256/*/link")}

    def _restore(self, digest: str) -> None:
        data = self._data(digest)
        data.parent.mkdir(parents=True, exist_ok=True)
        if data.exists():
            self._aside(digest).unlink(missing_ok=True)
        else:
            self._aside(digest).replace(data)

    def _data(self, digest: str) -> Path:
        name = digest.rpartition(":")[2]
        assert _HEX.fullmatch(name), digest
        return self._blobs / name[:2] / name / "data"

    def _aside(self, digest: str) -> Path:
        return self._trash / digest.rpartition(":")[2]


def _linked(folder: Path, now: float) -> Iterator[tuple[str, float]]:
    """Digest and age of what is linked in a folder."""
    for path in folder.glob("*/link"):
        seen = _stat(path)
        if seen and _HEX.fullmatch(path.parent.name):
            yield f"sha256:{path.parent.name}", now - seen[1]


def _stat(path: Path) -> tuple[int, float] | None:
    """Size and time of the last change."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_MANIFEST)
    except OSError:
        return b""
