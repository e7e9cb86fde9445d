"""What of the last build comes back before this one: metadata from its image, contents from the app's cache image.

Nothing is downloaded but cached layers: of a layer that is only in the image, a buildpack gets the metadata, and may
declare it again. All of it may be missing; the build is then a first one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from paas.builder import messages as common
from paas.builder.cnb import labels, toml
from paas.builder.cnb.labels import Past, Record
from paas.builder.cnb.plans import Plan
from paas.builder.cnb.running import LAYERS, Session
from paas.builder.job import Job
from paas.builder.split import APP_USER
from paas.core.builds import Strategy
from paas.errors import Forbidden, PaasError, Unavailable
from paas.oci import archive
from paas.oci.archive import CHANGES
from paas.oci.digests import parse_digest
from paas.oci.images import Image
from paas.oci.layers import Layer, unpacked
from paas.oci.streams import Chunks

CACHE_FACT = "cache_image"
_LIMITS = archive.Limits(max_bytes=64 << 20, max_entries=10_000)


@dataclass(frozen=True)
class Memory:
    """The last build."""

    record: Record = field(default_factory=Record)
    layers: Mapping[str, Layer] = field(default_factory=dict)
    """The image's, by diff id."""
    cached: Record = field(default_factory=Record)
    cache_layers: Mapping[str, Layer] = field(default_factory=dict)


def find(job: Job) -> Memory:
    """What is there of the last build. Raises Unavailable."""
    last = job.spec.previous
    if last is None or last.strategy != Strategy.buildpacks or job.spec.no_cache:
        return Memory()
    image = _image(job, job.repository, last.image)
    cache = _image(job, job.dependency_repository, str(last.facts.get(CACHE_FACT, "")))
    return Memory(
        labels.read(image, labels.LIFECYCLE) if image else Record(),
        {layer.diff_id: layer for layer in image.layers} if image else {},
        labels.read(cache, labels.CACHE) if cache else Record(),
        {layer.diff_id: layer for layer in cache.layers} if cache else {},
    )


def restore(session: Session, plan: Plan, memory: Memory) -> None:
    """Put it into the sandbox. Raises Unavailable."""
    files: dict[str, bytes | None] = {}
    for ref in plan.group:
        root = f"{LAYERS}/{ref.id.replace('/', '_')}"
        if store := memory.record.stores.get(ref.id):
            files[f"{root}/store.toml"] = toml.dump({"metadata": store})
        for name, past in known(memory, ref.id).items():
            files[f"{root}/{name}.toml"] = toml.dump({"metadata": past.metadata} if past.metadata else {})
            if past.cache:
                session.job.say(common.detail(f"Restoring {ref.id}:{name} from the cache"))
                session.sandbox.put(_opened(session.job, memory.cache_layers[past.diff_id]), "/")
    files |= _sboms(session.job, plan, memory)
    if files:
        session.put(files, APP_USER)


def known(memory: Memory, buildpack: str) -> dict[str, Past]:
    """The layers of which a buildpack is told."""
    found = {}
    for name, past in memory.record.layers.get(buildpack, {}).items():
        if not past.build and not past.cache:
            found[name] = past
    for name, past in memory.cached.layers.get(buildpack, {}).items():
        in_image = memory.record.layers.get(buildpack, {}).get(name)
        is_same = not past.launch or (in_image is not None and in_image.diff_id == past.diff_id)
        if is_same and past.diff_id in memory.cache_layers:
            found[name] = past
    return found


def _sboms(job: Job, plan: Plan, memory: Memory) -> dict[str, bytes | None]:
    """The layers' own, out of the last image's layer of them."""
    layer = memory.layers.get(memory.record.sbom)
    if layer is None:
        return {}
    escaped = {ref.id.replace("/", "_"): ref.id for ref in plan.group}
    found: dict[str, bytes | None] = {}
    head = "layers/sbom/launch/"
    stream = Chunks(unpacked(job.tools.registry.open_blob(job.repository, layer.digest)))
    for entry, body in archive.read_entries(stream, _LIMITS, CHANGES):
        folder, _, rest = entry.path.removeprefix(head).partition("/")
        name, _, file = rest.partition("/")
        is_sbom = entry.kind == "file" and file.startswith("sbom.") and folder in escaped
        if is_sbom and name in known(memory, escaped[folder]):
            found[f"{LAYERS}/{folder}/{name}.{file}"] = body.read()
    return found


def _image(job: Job, repository: str, digest: str) -> Image | None:
    if not digest:
        return None
    try:
        return job.tools.registry.image(repository, parse_digest(digest))
    except (Unavailable, Forbidden):
        raise
    except PaasError:  # collected since, or damaged on the registry's disk
        return None


def _opened(job: Job, layer: Layer) -> Iterator[bytes]:
    return unpacked(job.tools.registry.open_blob(job.dependency_repository, layer.digest))
