"""A segment's changes as one layer, kept under the segment's key as an image of the project's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from paas.builder.dockerfile.values import Base, Built
from paas.builder.dockerfile.walk import Segment
from paas.core.builds import LayerNote
from paas.errors import Forbidden, PaasError, Unavailable
from paas.oci import images
from paas.oci.archive import EPOCH, Entry
from paas.oci.images import CREATED, Image
from paas.oci.layers import Layer, LayerWriter
from paas.oci.registry import Registry
from paas.ports import Changes

MADE_AT = "paas.dependencies.created"
LAYERS = "paas.dockerfile.layers"
"""Label of a kept image: for each of its segments its title and its layer's digest, or nothing."""
_SPAN = 25 * 365 * 86400
_TOPS = {"tmp": 0o1777, "root": 0o700}
_OPAQUE = ".wh..opq"
_NAME = 60


def find(registry: Registry, repository: str, built: Built, segments: Sequence[Segment]) -> Built | None:
    """What is kept of these segments on top of what is built, if it is whole."""
    try:
        digest = registry.digest_of(repository, tag(segments[-1].key))
        image = registry.image(repository, digest)
    except (Unavailable, Forbidden):
        raise
    except PaasError:  # not there, or damaged on the registry's disk
        return None
    below = built.image.layers
    listed = json.loads(image.labels.get(LAYERS, "[]"))
    if image.layers[: len(below)] != below or len(listed) != len(segments):
        return None
    sizes = {layer.digest: layer.size for layer in image.layers}
    made_at = image.labels.get(MADE_AT, "")[:10]
    notes = tuple(
        LayerNote(title, name, sizes[name], "reused", f"same instructions and files as on {made_at}")
        for title, name in listed
        if name in sizes
    )
    return replace(built, image=image, repository=repository, digest=digest, notes=(*built.notes, *notes))


def keep(
    registry: Registry, repository: str, built: Built, segments: Sequence[Segment], changes: Changes, now: datetime
) -> Built:
    """Write the last segment's changes, and keep the image they make. Raises BuildFailed, Unavailable."""
    segment = segments[-1]
    mtime = EPOCH if segment.runs else EPOCH + int(segment.key[:8], 16) % _SPAN
    made, is_new = _write(registry, repository, changes, mtime)
    listed = json.loads(built.image.labels.get(LAYERS, "[]")) if len(segments) > 1 else []
    listed.append([title(segment), made.digest if made else ""])
    labels = {MADE_AT: now.isoformat(timespec="seconds"), LAYERS: json.dumps(listed)}
    image = images.extend(built.image, [made] if made else [], labels=labels, created_by=segment.title[:500])
    digest = registry.push_image(repository, image, tag=tag(segment.key))
    notes = built.notes
    if made:
        state, pushed = ("new", made.size) if is_new else ("reused", 0)
        why = f"line {segment.acts[-1].instruction.line}"
        notes = (*notes, LayerNote(title(segment), made.digest, made.size, state, why, pushed))
    return replace(built, image=image, repository=repository, digest=digest, notes=notes)


def empty_base(registry: Registry, repository: str, architecture: str) -> Base:
    """What stands for `scratch`: an image of one empty folder, for engines cannot do with none."""
    with registry.upload(repository) as upload:
        writer = LayerWriter(upload.write)
        writer.add(Entry(".paas-scratch", "dir", 0o755))  # a name that nobody copies over
        layer = writer.finish()
        if not registry.has_blob(repository, layer.digest):
            upload.commit(layer.digest)
    config = {
        "created": CREATED,
        "os": "linux",
        "architecture": architecture,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
        "history": [{"created": CREATED, "created_by": "scratch"}],
    }
    image = Image(config, (layer,))
    digest = registry.push_image(repository, image, tag="dockerfile-scratch")
    return Base(image, repository, digest, is_empty=True)


def tag(key: str) -> str:
    """Under which the registry keeps a segment."""
    return f"dockerfile-{key}"


def title(segment: Segment) -> str:
    """The name of a layer in the ledger."""
    text = segment.title
    return text if len(text) <= _NAME else text[: _NAME - 1] + "…"


def _write(registry: Registry, repository: str, changes: Changes, mtime: int) -> tuple[Layer | None, bool]:
    with registry.upload(repository) as upload:
        writer = LayerWriter(upload.write, mtime=mtime)
        if not write(writer, changes):
            return None, False
        layer = writer.finish()
        if registry.has_blob(repository, layer.digest):
            return layer, False
        upload.commit(layer.digest)
        return layer, True


def write(writer: LayerWriter, changes: Changes) -> int:
    """All changes as one layer; how many. Whiteouts come before what takes a deleted thing's place."""
    folders: dict[str, Entry] = {}
    deleted = set(changes.deleted)
    written: set[str] = set()
    count = 0

    def name_folders(path: str) -> None:
        for above in _above(path):
            if above not in written:
                written.add(above)
                mode = _TOPS.get(above, 0o755)
                writer.add(folders.get(above) or Entry(above, "dir", mode))
                if above in deleted:
                    deleted.discard(above)
                    writer.whiteout(f"{above}/{_OPAQUE}")  # what lay in it before does not come back

    for entry, body in changes.entries:
        count += 1
        if entry.kind == "dir":
            folders[entry.path] = entry
            name_folders(f"{entry.path}/")
            continue
        name_folders(entry.path)
        deleted.discard(entry.path)
        writer.add(entry, body if entry.kind == "file" else None)
    for path in sorted(deleted):
        count += 1
        name_folders(path)
        writer.whiteout(path)
    return count


def _above(path: str) -> list[str]:
    names = path.split("/")[:-1]
    return ["/".join(names[: count + 1]) for count in range(len(names))]
