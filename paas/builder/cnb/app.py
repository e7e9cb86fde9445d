"""The source as the app folder of the sandbox: without what the project leaves out, owned by the user that builds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from paas.builder.cnb.globs import LeftOut
from paas.builder.cnb.outputs import APP
from paas.builder.split import APP_USER
from paas.oci import archive
from paas.oci.archive import Entry, Limits, TarWriter
from paas.oci.streams import Chunks

_IN_MEMORY, _PIECE = 8 << 20, 1 << 20


@contextmanager
def tar(chunks: Iterable[bytes], limits: Limits, is_left_out: LeftOut) -> Iterator[Iterator[bytes]]:
    """The tar of the folder; a folder of which only a file is wanted comes with that file."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        writer = TarWriter(file.write)
        writer.add(Entry(APP.strip("/"), "dir", 0o775, uid=APP_USER))
        for entry, body in archive.read_entries(Chunks(chunks), limits):
            if is_left_out(entry.path, is_folder=entry.kind == "dir"):
                continue
            for folder in _above(entry.path):
                writer.add(Entry(f"{APP}/{folder}".strip("/"), "dir", 0o775, uid=APP_USER))
            writer.add(_moved(entry), body)
        writer.close()
        file.seek(0)
        yield iter(lambda: file.read(_PIECE), b"")


def _above(path: str) -> Iterator[str]:
    names = path.split("/")[:-1]
    for count in range(1, len(names) + 1):
        yield "/".join(names[:count])


def _moved(entry: Entry) -> Entry:
    """Group 0 may do what the owner may: any user of it can run the app."""
    head = APP.strip("/")
    target = f"{head}/{entry.target}" if entry.kind == "hardlink" else entry.target
    mode = entry.mode | (entry.mode & 0o700) >> 3
    return replace(entry, path=f"{head}/{entry.path}", target=target, mode=mode, uid=APP_USER, gid=0)
