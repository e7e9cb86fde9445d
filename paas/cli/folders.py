"""A folder as a tar stream, file by file, without holding any of them."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

from paas.errors import InvalidInput

PIECE = 1024 * 1024
LEFT_OUT = frozenset({".git"})
_BLOCK = 512


def stream(folder: Path) -> Iterator[bytes]:
    """The folder's files, folders and links, without `.git`. Raises InvalidInput naming what cannot be sent."""
    for path in _walk(folder):
        try:
            yield from _entry(folder, path)
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read: {error.strerror}", field="from-dir") from None
    yield bytes(2 * _BLOCK)


def _walk(folder: Path) -> Iterator[Path]:
    try:
        listed = sorted(folder.iterdir())
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be read: {error.strerror}", field="from-dir") from None
    for path in listed:
        if path.name in LEFT_OUT:
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _entry(folder: Path, path: Path) -> Iterator[bytes]:
    info = tarfile.TarInfo(path.relative_to(folder).as_posix())
    found = path.lstat()
    info.mode = found.st_mode & 0o777
    if path.is_symlink():
        info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif path.is_dir():
        info.type = tarfile.DIRTYPE
    elif path.is_file():
        info.size = found.st_size
    else:
        return  # a socket, a pipe, a device: nothing that a source holds
    yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    if info.size:
        yield from _body(path, info.size)


def _body(path: Path, size: int) -> Iterator[bytes]:
    left = size
    with path.open("rb") as file:
        while left:
            piece = file.read(min(PIECE, left))
            if not piece:
                raise InvalidInput(f"{path} became shorter while it was read", field="from-dir", hint="Try again.")
            left -= len(piece)
            yield piece
    yield bytes(-size % _BLOCK)
