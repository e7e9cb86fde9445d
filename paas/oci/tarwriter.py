"""Writes tars in one canonical form: the same entries in the same order give the same bytes.

Times are fixed, owners are numbers without names, and PAX records appear only where ustar cannot say it.
"""

from __future__ import annotations

from collections.abc import Callable

from paas.oci import tarheaders, trees
from paas.oci.streams import Readable
from paas.oci.tarheaders import BLOCK, Header
from paas.oci.trees import Entry, Kind, Limits, refuse

EPOCH = 315532801
"""1980-01-01T00:00:01Z, the time in Cloud Native Buildpacks' layers: zip files cannot say an earlier one."""

TYPES: dict[Kind, bytes] = {
    "file": tarheaders.FILE,
    "dir": tarheaders.DIRECTORY,
    "symlink": tarheaders.SYMLINK,
    "hardlink": tarheaders.HARDLINK,
}
_PIECE = 1024 * 1024
_ANY = Limits(max_bytes=2**63, max_entries=2**63, max_depth=4096, max_path_bytes=4096)


class TarWriter:
    """One tar, entry by entry.

    As a layer, it refuses what an engine would take for something else: a name starting with `.wh.`, and an
    entry whose folder is not in the layer (Docker then makes the folder itself, and the owner it had is lost).
    """

    def __init__(self, sink: Callable[[bytes], object], *, mtime: int = EPOCH, layer: bool = False) -> None:
        self._sink = sink
        self._mtime = mtime
        self._layer = layer
        self._kinds: dict[str, Kind] = {}

    @property
    def entries(self) -> int:
        """How many were written."""
        return len(self._kinds)

    def add(self, entry: Entry, body: Readable | None = None) -> None:
        """One entry and, for a file, its body. A directory that is there already is left as it is."""
        if entry.kind == "dir" and self._kinds.get(entry.path) == "dir":
            return
        self._check(entry)
        if self._layer and entry.path.rpartition("/")[2].startswith(".wh."):
            raise refuse(entry.path, "has a name that images use for deleted files", "Rename it.")
        self._write(entry, body)

    def whiteout(self, path: str) -> None:
        """The path of the layers below is deleted."""
        folder, slash, name = path.rpartition("/")
        entry = Entry(f"{folder}{slash}.wh.{name}", "file", 0o600)
        self._check(entry)
        self._write(entry, None)

    def close(self) -> None:
        """The end marker; nothing may follow."""
        self._sink(bytes(2 * BLOCK))

    def _check(self, entry: Entry) -> None:
        path, folder = entry.path, trees.parent(entry.path)
        if not path or trees.normal_path(path, _ANY) != path:
            raise refuse(path, "is not a normal relative path", "Leave out './', '//' and '/' at the end.")
        if path in self._kinds:
            raise refuse(path, "is written twice", "Write each path once.")
        if self._layer and folder and self._kinds.get(folder) != "dir":
            raise refuse(path, "comes without its folder", "Write each folder of a layer before what lies in it.")
        if entry.kind == "hardlink" and self._kinds.get(entry.target) not in ("file", "hardlink"):
            raise refuse(path, "is a hard link to a file that was not written", "Write it as a file.")

    def _write(self, entry: Entry, body: Readable | None) -> None:
        name = entry.path.encode("utf-8", "surrogateescape") + (b"/" if entry.kind == "dir" else b"")
        size = entry.size if entry.kind == "file" else 0
        header = Header(
            name=name,
            type=TYPES[entry.kind],
            mode=0o777 if entry.kind == "symlink" else entry.mode & 0o1777,
            uid=entry.uid,
            gid=entry.gid,
            size=size,
            link=entry.target.encode("utf-8", "surrogateescape"),
        )
        self._sink(tarheaders.encode(header, self._mtime))
        self._kinds[entry.path] = entry.kind
        left = size
        while left:
            piece = body.read(min(left, _PIECE)) if body else b""
            if not piece:
                raise refuse(entry.path, f"ends {left} bytes early", "Send it again.")
            left -= len(piece)
            self._sink(piece)
        if size % BLOCK:
            self._sink(bytes(tarheaders.padding(size)))
