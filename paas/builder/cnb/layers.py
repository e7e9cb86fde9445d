"""What the sandbox holds after the build as layers: one for each that is launched or cached, and the app in slices.

It comes out as one stream and is cut by path, so build secrets are looked for in all of it. A layer that was only
declared again comes from the last image, by reference.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from paas.builder import messages as common
from paas.builder import split
from paas.builder.cnb import globs, messages
from paas.builder.cnb.build import Built
from paas.builder.cnb.outputs import APP, LayerOutput
from paas.builder.cnb.previous import Memory
from paas.builder.cnb.running import LAYERS, Session
from paas.builder.layering import Layers, Sent
from paas.builder.ledger import REUSED, SOURCE
from paas.builder.split import APP_USER
from paas.core.builds import LayerNote
from paas.errors import InvalidInput
from paas.oci.archive import Entry, Reader
from paas.oci.layers import Layer, LayerWriter
from paas.ports import Changes

STAGE = "export"
LAUNCHER, CONFIG, SBOM = "launcher", "config", "sbom"
_OTHERS = tuple(f"/{name}" for name in ("tmp", "var", "run", "dev", "cnb", "platform", "home", "root", "opt", "usr"))
"""Where a build may write, and nothing of it stays."""


@dataclass(frozen=True)
class Extra:
    """A layer of our own: small files and links by path, owned by root."""

    name: str
    files: Mapping[str, bytes]
    links: Mapping[str, str]
    executable: bool = False


@dataclass(frozen=True)
class Stack:
    """The image's layers from below with their notes, and what is kept for the next build."""

    layers: tuple[Layer, ...]
    notes: tuple[LayerNote, ...]
    by_name: Mapping[str, Layer]
    """Of all that were made or reused, also of those that are only cached."""


def title(pack: str, layer: str) -> str:
    """A layer's name in the ledger."""
    return f"{pack}:{layer}"


def take(session: Session, built: Sequence[Built], memory: Memory, extras: Sequence[Extra]) -> Stack:
    """Cut the sandbox's files. Raises BuildFailed, Unavailable."""
    job = session.job
    wanted = {f"{one.pack.escaped}/{layer.name}": title(one.pack.id, layer.name) for one, layer in _exported(built)}
    slices = [globs.slice_of(paths, APP) for one in built for paths in one.output.slices]
    part_of = _rule(wanted, slices)
    changed = session.sandbox.changes((*_OTHERS, *_unwanted(built)))
    try:
        with Layers(job.tools.registry, job.repository, job.source_time) as layers:
            split.cut(Changes(_entries(changed, wanted)), part_of, layers.open)
            for extra in extras:
                _write(layers.open(extra.name), extra)
            sent = layers.finish()
    except InvalidInput as error:
        raise common.unfit_tree(STAGE, error) from error
    return _stacked(built, memory, sent, len(slices))


def _exported(built: Sequence[Built]) -> list[tuple[Built, LayerOutput]]:
    return [
        (one, layer)
        for one in built
        for layer in one.output.layers
        if layer.has_content and (layer.launch or layer.cache)
    ]


def _unwanted(built: Sequence[Built]) -> list[str]:
    return [
        f"{LAYERS}/{one.pack.escaped}/{layer.name}{end}"
        for one in built
        for layer in one.output.layers
        for end in ("", ".ignore")
        if not (layer.launch or layer.cache)
    ]


def _rule(wanted: Mapping[str, str], slices: Sequence[Callable[[str], bool]]) -> Callable[[str], str]:
    app = APP.strip("/")

    def part_of(path: str) -> str:
        top, _, inner = path.partition("/")
        if top != app:
            return wanted.get("/".join(inner.split("/")[:2]), SOURCE)
        return next((f"slice {place}" for place, has in enumerate(slices, 1) if has(inner)), SOURCE)

    return part_of


def _entries(changed: Changes, wanted: Mapping[str, str]) -> Iterator[tuple[Entry, Reader]]:
    """Those of the app and of wanted layers, given to the app's user."""
    app, packs = APP.strip("/"), {name.partition("/")[0] for name in wanted}
    for entry, body in changed.entries:
        top, _, inner = entry.path.partition("/")
        names = inner.split("/")
        is_above = entry.kind == "dir" and len(names) == 1 and (names[0] in packs if inner else bool(wanted))
        if top == app or (f"{LAYERS}/" == f"/{top}/" and (is_above or "/".join(names[:2]) in wanted)):
            yield replace(entry, uid=APP_USER, gid=0), body


def _write(writer: LayerWriter, extra: Extra) -> None:
    for path in sorted([*extra.files, *extra.links]):
        names = path.split("/")[:-1]
        for count in range(1, len(names) + 1):
            folder = "/".join(names[:count])
            is_own = folder.startswith("layers")
            writer.add(Entry(folder, "dir", 0o775 if is_own else 0o755, uid=APP_USER if is_own else 0))
        if path in extra.links:
            writer.add(Entry(path, "symlink", 0o777, target=extra.links[path]))
        else:
            body = extra.files[path]
            mode = 0o755 if extra.executable else 0o644
            writer.add(Entry(path, "file", mode, len(body)), io.BytesIO(body))


def _stacked(built: Sequence[Built], memory: Memory, sent: Mapping[str, Sent], slices: int) -> Stack:
    layers: list[Layer] = []
    notes: list[LayerNote] = []
    by_name = {name: one.layer for name, one in sent.items()}

    def add(name: str, why: str) -> None:
        if name in sent:
            layers.append(sent[name].layer)
            notes.append(_note(name, sent[name], why))

    for one in built:
        for layer in one.output.layers:
            name = title(one.pack.id, layer.name)
            if layer.launch and not layer.has_content:
                by_name[name] = kept = _again(one, layer, memory)
                layers.append(kept)
                notes.append(LayerNote(name, kept.digest, kept.size, REUSED, f"re-declared by {one.pack.id}"))
            elif layer.launch:
                add(name, f"made by {one.pack}")
    add(SBOM, "written by buildpacks")
    for place in range(1, slices + 1):
        add(f"slice {place}", "a slice of the app")
    add(SOURCE, "the app after the build")
    add(LAUNCHER, "the platform's launcher and its process types")
    add(CONFIG, "processes and buildpacks")
    return Stack(tuple(layers), tuple(notes), by_name)


def _note(name: str, sent: Sent, why: str) -> LayerNote:
    layer = sent.layer
    state, reason = ("new", why) if sent.is_new else (REUSED, "same files")
    return LayerNote(name, layer.digest, layer.size, state, reason, sent.pushed)


def _again(one: Built, layer: LayerOutput, memory: Memory) -> Layer:
    past = memory.record.layers.get(one.pack.id, {}).get(layer.name)
    found = memory.layers.get(past.diff_id) if past and past.launch else None
    if found is None:
        raise messages.lost_layer(str(one.pack), layer.name)
    return found
