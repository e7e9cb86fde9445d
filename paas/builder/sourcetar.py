"""The source's tar written anew: moved below a folder, given to the app's user, without what is ignored.

The bytes pass through; a tar for a sandbox waits in a temporary file, since an engine reads at its own pace.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from paas.builder.source import MAX_TEXT
from paas.builder.split import APP_USER, Writer, plain_folder
from paas.oci import archive
from paas.oci.archive import Entry, Limits, TarWriter
from paas.oci.streams import Chunks

_IN_MEMORY = 8 * 1024 * 1024
_PIECE = 1024 * 1024

IsIgnored = Callable[[str], bool]


def write_below(chunks: Iterable[bytes], limits: Limits, folder: str, is_ignored: IsIgnored, writer: Writer) -> None:
    """The source as `assemble` would copy it: group 0 may do what the owner may."""
    at = folder.strip("/")
    for above in _above(at):
        writer.add(plain_folder(above))
    for entry, body in archive.read_entries(Chunks(chunks), limits):
        if not is_ignored(entry.path):
            moved = _moved(entry, at)
            writer.add(replace(moved, mode=_group_as_owner(moved.mode)), body)


@contextmanager
def for_sandbox(
    chunks: Iterable[bytes],
    limits: Limits,
    is_ignored: IsIgnored,
    scripts: Sequence[str] = (),
    owner: int = APP_USER,
) -> Iterator[Iterator[bytes]]:
    """The tar of the folder `src` for a sandbox; files in the folders `scripts` also come as the folder `scripts`.

    Of two with the same name the one in the later folder counts.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        writer = TarWriter(file.write)
        writer.add(_folder("src", owner))
        found: dict[str, bytes] = {}
        for entry, body in archive.read_entries(Chunks(chunks), limits):
            if is_ignored(entry.path):
                continue
            is_script = entry.kind == "file" and entry.path.rpartition("/")[0] in scripts
            if is_script and entry.size <= MAX_TEXT:
                found[entry.path] = content = body.read()
                writer.add(_moved(entry, "src", owner), Chunks([content]))
            else:
                writer.add(_moved(entry, "src", owner), body)
        if found:
            _add_scripts(writer, _by_name(found, scripts), owner)
        writer.close()
        file.seek(0)
        yield iter(lambda: file.read(_PIECE), b"")


def of_files(files: Mapping[str, bytes]) -> bytes:
    """The tar of the folder `src` with these files only."""
    out = bytearray()
    writer = TarWriter(out.extend)
    writer.add(_folder("src"))
    for path in sorted(files):
        for above in _above(path.rpartition("/")[0]):
            writer.add(_folder(f"src/{above}"))
        writer.add(_owned(f"src/{path}", files[path]), Chunks([files[path]]))
    writer.close()
    return bytes(out)


def scripts_of(chunks: Iterable[bytes], limits: Limits, folders: Sequence[str]) -> dict[str, bytes]:
    """The files right in these folders of the source, by name; of two, the one in the later folder."""
    found = {}
    for entry, body in archive.read_entries(Chunks(chunks), limits):
        if entry.kind == "file" and entry.path.rpartition("/")[0] in folders and entry.size <= MAX_TEXT:
            found[entry.path] = body.read()
    return _by_name(found, folders)


def of_scripts(scripts: Mapping[str, bytes], owner: int = APP_USER) -> bytes:
    """The tar of the folder `scripts`."""
    out = bytearray()
    writer = TarWriter(out.extend)
    _add_scripts(writer, scripts, owner)
    writer.close()
    return bytes(out)


def _by_name(found: Mapping[str, bytes], folders: Sequence[str]) -> dict[str, bytes]:
    paths = sorted(found, key=lambda path: folders.index(path.rpartition("/")[0]))
    return {path.rpartition("/")[2]: found[path] for path in paths}


def _add_scripts(writer: TarWriter, scripts: Mapping[str, bytes], owner: int) -> None:
    writer.add(_folder("scripts", owner))
    for name, content in sorted(scripts.items()):
        made = replace(_owned(f"scripts/{name}", content), mode=0o755, uid=owner)
        writer.add(made, Chunks([content]))


def _moved(entry: Entry, below: str, owner: int = APP_USER) -> Entry:
    target = f"{below}/{entry.target}" if entry.kind == "hardlink" else entry.target
    return replace(entry, path=f"{below}/{entry.path}", target=target, uid=owner, gid=0)


def _group_as_owner(mode: int) -> int:
    return mode | (mode & 0o700) >> 3


def _folder(path: str, owner: int = APP_USER) -> Entry:
    return Entry(path, "dir", 0o775, uid=owner)


def _owned(path: str, content: bytes) -> Entry:
    return Entry(path, "file", 0o644, len(content), uid=APP_USER)


def _above(path: str) -> Iterator[str]:
    """The path and all folders above it, from the top."""
    names = path.split("/") if path else []
    for count in range(1, len(names) + 1):
        yield "/".join(names[:count])
