"""A folder of the source as a source of its own: what a build with `context_dir` is made from.

The folder's files become a canonical tar without the folder's name, kept beside the source by its digest. From then
on nothing knows that there was more: a change elsewhere in the repository changes no key, no time and no image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from paas.builder.source import Open
from paas.errors import BuildFailed, InvalidInput
from paas.oci import archive, trees
from paas.oci.archive import SOURCE, Entry, Limits, Reader, TarWriter
from paas.oci.digests import Digest
from paas.oci.registry import Registry
from paas.oci.streams import Chunks

STAGE = "fetch"
_SHOWN = 20


def cut(open_source: Open, folder: str, limits: Limits, registry: Registry, repository: str) -> Digest:
    """The digest of the folder's own source, which is in the repository. Raises BuildFailed, InvalidInput."""
    folder = _normal(folder)
    found = hashlib.sha256()
    with registry.upload(repository) as upload:

        def sink(data: bytes) -> None:
            found.update(data)
            upload.write(data)

        write(open_source, folder, limits, TarWriter(sink))
        digest = Digest(f"sha256:{found.hexdigest()}")
        if not registry.has_blob(repository, digest):
            upload.commit(digest)
    return digest


def write(open_source: Open, folder: str, limits: Limits, writer: TarWriter) -> None:
    """The folder's entries below nothing. Raises BuildFailed where there is no such folder, or a link leaves it."""
    tops: set[str] = set()
    tree = trees.Tree(limits, SOURCE)
    try:
        for entry, body in _below(open_source, folder, limits, tops):
            tree.admit(entry)
            writer.add(entry, body)
        tree.check_symlinks()
    except InvalidInput as error:
        message = f"in {folder}: {error.message}".replace("of the source", f"of {folder}")
        hint = f"Only {folder} is built: what it needs must lie in it."
        raise BuildFailed(message, reason="InvalidSource", stage=STAGE, hint=hint) from error
    if not writer.entries:
        raise _missing(folder, "is no folder of the source, or an empty one", tops)
    writer.close()


def _below(open_source: Open, folder: str, limits: Limits, tops: set[str]) -> Iterator[tuple[Entry, Reader]]:
    prefix = f"{folder}/"
    for entry, body in archive.read_entries(Chunks(open_source()), limits):
        if "/" not in entry.path and entry.kind == "dir":
            tops.add(entry.path)
        if entry.path == folder and entry.kind != "dir":
            raise _missing(folder, f"is a {entry.kind}", tops)
        if not entry.path.startswith(prefix):
            continue
        path = entry.path.removeprefix(prefix)
        if entry.kind == "hardlink" and not entry.target.startswith(prefix):
            raise trees.refuse(path, f"is a hard link to {trees.shown(entry.target)}, which lies outside", "")
        target = entry.target.removeprefix(prefix) if entry.kind == "hardlink" else entry.target
        yield replace(entry, path=path, target=target), body


def _normal(folder: str) -> str:
    parts = [part for part in folder.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or "\0" in folder:
        raise _missing(folder, "is not the path of a folder in the source", set())
    return "/".join(parts)


def _missing(folder: str, why: str, tops: set[str]) -> BuildFailed:
    names = sorted(tops)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    there = f"Folders at the top: {', '.join(names[:_SHOWN])}{more}." if names else "Give a path such as services/web."
    return BuildFailed(
        f"the context folder {trees.shown(folder)} {why}",
        reason="InvalidContextDirectory",
        stage=STAGE,
        hint=f"{there} Set it with: paasctl builds settings context_dir=FOLDER",
    )
