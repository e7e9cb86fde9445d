"""The ledger of a build: which layers are new, changed or reused, and why: which input, which line of it.

It compares with the app's last good build. What it needs of that one (a lock file, the tree) is read from its source,
and only where something changed; a source that is gone costs an explanation, never the build.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from paas.builder import differences, reasons, source
from paas.builder.job import Fetched, Made, app_repository
from paas.core.builds import LayerNote, Previous
from paas.errors import PaasError
from paas.oci import archive
from paas.oci.digests import parse_digest
from paas.oci.streams import Chunks

NEW, CHANGED, REUSED = "new", "changed", "reused"
SOURCE = "source"
_MAX_TREE = 16 * 1024 * 1024
"""Trees up to so many bytes are compared file by file."""
_GROWN, _GROWN_BYTES = 1.2, 10_000_000


def explain(fetched: Fetched, made: Made) -> tuple[LayerNote, ...]:
    """The notes with their states and reasons, against the previous build."""
    previous = fetched.spec.previous
    if previous is None:
        return made.ledger
    before = _by_place(previous.ledger)
    return tuple(
        _explained(fetched, made, previous, note, before.get(place)) for place, note in _by_place(made.ledger).items()
    )


def growth(ledger: tuple[LayerNote, ...], previous: Previous | None) -> str:
    """A warning where the layers are much larger than last time; else nothing."""
    old = sum(note.size for note in previous.ledger) if previous else 0
    new = sum(note.size for note in ledger)
    if previous is None or not old or new < _GROWN * old or new - old < _GROWN_BYTES:
        return ""
    return reasons.grown(new - old, round(100 * (new - old) / old), previous.number)


def _by_place(notes: tuple[LayerNote, ...]) -> dict[tuple[str, int], LayerNote]:
    """By name, and by which of that name it is."""
    seen: dict[str, int] = {}
    found = {}
    for note in notes:
        seen[note.name] = seen.get(note.name, 0) + 1
        found[note.name, seen[note.name]] = note
    return found


def _explained(
    fetched: Fetched, made: Made, previous: Previous, note: LayerNote, before: LayerNote | None
) -> LayerNote:
    if before is None or note.digest == before.digest:
        return note if before is None else replace(note, state=REUSED)
    state = REUSED if note.state == REUSED and not note.pushed else CHANGED
    return replace(note, state=state, reason=_reason(fetched, made, previous, note) or note.reason)


def _reason(fetched: Fetched, made: Made, previous: Previous, note: LayerNote) -> str:
    if fetched.spec.no_cache and note.name != SOURCE:
        return reasons.without_cache()
    if previous.builder != made.builder:
        return reasons.other_builder(previous.builder, made.builder)
    if note.name == SOURCE:
        return _source_reason(fetched, previous)
    old, new = previous.facts.get("inputs"), made.facts.get("inputs")
    if isinstance(old, dict) and isinstance(new, dict) and old != new:
        return _input_reason(fetched, previous, old, new)
    if previous.facts.get("builder_image") != made.facts.get("builder_image"):
        return reasons.builder_updated(made.builder)
    return ""


def _input_reason(fetched: Fetched, previous: Previous, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    changed = [path for path in new if new[path] != old.get(path)] + [path for path in old if path not in new]
    first, more = changed[0], len(changed) - 1
    if first not in old or first not in new:
        return reasons.input_changed(first, "removed" if first in old else "added", more)
    contents = _previous_files(fetched, previous, changed)
    for path in changed:
        difference = differences.between(path, contents.get(path, b""), fetched.files.contents.get(path, b""))
        if path in contents and difference:
            return reasons.input_changed(path, str(difference), 0)
    return reasons.input_changed(first, "changed", more)


def _previous_files(fetched: Fetched, previous: Previous, paths: list[str]) -> Mapping[str, bytes]:
    wanted = dict.fromkeys(paths, source.MAX_LOCK)
    try:
        stream = Chunks(_open(fetched, _source_of(previous)))
        return source.inspect(stream, wanted, fetched.tools.source_limits).contents
    except PaasError:
        return {}


def _source_reason(fetched: Fetched, previous: Previous) -> str:
    """Which files of the tree changed."""
    if fetched.files.size > _MAX_TREE:
        return ""
    try:
        old = _digests(fetched, _source_of(previous))
        new = _digests(fetched, fetched.spec.source_digest)
    except PaasError:
        return ""
    changed = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    return reasons.files_changed(changed)


def _source_of(previous: Previous) -> str:
    """The tree that the build saw: of its context folder, where it had one."""
    return str(previous.facts.get("context_source") or previous.source_digest)


def _digests(fetched: Fetched, digest: str) -> dict[str, str]:
    """Of every file below, with its mode; links by their target. Raises PaasError."""
    limits = replace(fetched.tools.source_limits, max_bytes=2 * _MAX_TREE)
    found = {}
    for entry, body in archive.read_entries(Chunks(_open(fetched, digest)), limits):
        if entry.kind != "dir":
            found[entry.path] = f"{entry.mode:o} {entry.target} {_digest(body.read)}"
    return found


def _digest(read: Callable[[int], bytes]) -> str:
    made = hashlib.sha256()
    while piece := read(1024 * 1024):
        made.update(piece)
    return made.hexdigest()


def _open(fetched: Fetched, digest: str) -> Iterator[bytes]:
    return fetched.tools.registry.open_blob(app_repository(fetched.spec), parse_digest(digest))
