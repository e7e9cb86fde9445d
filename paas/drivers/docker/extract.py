"""The entries that a sandbox changed, read from the engine's archives one after another.

Each archive is named from the folder above its path; here every entry gets its path from the root. While one archive
is open the engine answers nothing else about the container, so they never overlap.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from paas.drivers.docker import changed
from paas.drivers.docker.client import Engine
from paas.errors import BuildFailed, InvalidInput, NotFound
from paas.oci import archive
from paas.oci.streams import Chunks

Item = tuple[archive.Entry, archive.Reader]
_CHUNK = 256 * 1024
_STREAM_IDLE = 120.0


def entries(engine: Engine, container: str, found: changed.Changed, limits: archive.Limits) -> Iterator[Item]:
    """All changed entries; read each body before the next entry. Raises BuildFailed, Unavailable."""
    left = limits
    for call in found.calls():
        for entry, body in _wanted(engine, container, call, found, left):
            left = replace(left, max_bytes=left.max_bytes - entry.size, max_entries=left.max_entries - 1)
            if left.max_bytes < 0 or left.max_entries < 0:
                raise _too_large(limits)
            yield entry, body


def at(engine: Engine, container: str, path: str, limits: archive.Limits) -> Iterator[Item]:
    """What lies at an absolute path. Raises BuildFailed, Unavailable."""
    return _read(engine, container, changed.Call(path.strip("/") or ".", whole=True), limits)


def _wanted(
    engine: Engine, container: str, call: changed.Call, found: changed.Changed, limits: archive.Limits
) -> Iterator[Item]:
    """The changed entries of one archive.

    A hard link to a file that is left out (a package cache, say) has its body there: such files are read once more,
    and come last, each under the name of its first link.
    """
    left_out: set[str] = set()
    links: dict[str, list[str]] = {}
    for entry, body in _read(engine, container, call, limits):
        if found.is_ignored(entry.path) or not (call.whole or found.has(entry.path)):
            left_out.add(entry.path)
        elif entry.kind == "hardlink" and entry.target in left_out:
            links.setdefault(entry.target, []).append(entry.path)
        else:
            yield entry, body
    if not links:
        return
    for entry, body in _read(engine, container, call, limits):
        first, *others = links.get(entry.path, [""])
        if first:
            yield replace(entry, path=first), body
        for path in others:
            link = replace(entry, path=path, kind="hardlink", size=0, target=first)
            yield link, archive.Reader(io.BytesIO(), 0)


def _read(engine: Engine, container: str, call: changed.Call, limits: archive.Limits) -> Iterator[Item]:
    """The entries of one archive with their paths from the root."""
    above = call.path.rpartition("/")[0]
    try:
        with engine.stream(
            f"/containers/{container}/archive", {"path": f"/{call.path}"}, idle=_STREAM_IDLE
        ) as response:
            # What is filtered out counts for nobody: the limits are for what is taken, and held there.
            loose = limits if call.whole else archive.Limits(1 << 50, 1 << 30)
            stream = Chunks(_chunks(response))
            for entry, body in archive.read_entries(stream, loose, archive.CHANGES):
                yield _from_root(entry, above), body
                if call.header_only and entry.kind == "dir":
                    return
    except NotFound as error:
        raise BuildFailed(
            f"the file {call.path!r} was listed and then could not be read",
            reason="export_failed",
            stage="export",
            hint="Its name may not be UTF-8, or a program of the build still runs: wait for it, or rename the file.",
        ) from error
    except InvalidInput as error:
        raise BuildFailed(error.message, reason="export_failed", stage="export", hint=error.hint) from error


def _chunks(response: Any) -> Iterator[bytes]:
    while data := response.raw.read(_CHUNK):
        yield data


def _from_root(entry: archive.Entry, above: str) -> archive.Entry:
    if not above:
        return entry
    target = f"{above}/{entry.target}" if entry.kind == "hardlink" else entry.target
    return replace(entry, path=f"{above}/{entry.path}", target=target)


def _too_large(limits: archive.Limits) -> BuildFailed:
    return BuildFailed(
        f"the build made more than {limits.max_entries} files or {limits.max_bytes} bytes",
        reason="too_large",
        stage="export",
        hint="Leave out what the app does not need at run time, or ask for a higher limit.",
    )
