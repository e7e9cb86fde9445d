"""What the scripts changed as layers by ecosystem, and the image they make on top of the builder or runtime image."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from paas.builder import bases, export, messages, sandboxed, split
from paas.builder.bases import Base
from paas.builder.job import Job
from paas.builder.layering import Layers, Sent
from paas.builder.secrets import SHORTEST
from paas.builder.stock import rules
from paas.builder.stock.contract import Contract
from paas.builder.stock.scripts import Scripts
from paas.core.builds import LayerNote
from paas.errors import BuildFailed, InvalidInput
from paas.oci import images
from paas.oci.archive import Entry, Reader
from paas.oci.digests import Digest
from paas.oci.images import CREATED
from paas.oci.layers import Layer
from paas.ports import Changes, Opening, Sandbox

STAGE = "assemble"
_CONTEXT = "io.openshift.s2i.build.source-context-dir"
_KUBERNETES = "io.k8s."


@dataclass(frozen=True)
class Target:
    """The image that the app runs on, and where its scripts are in the sandbox."""

    base: Base
    contract: Contract
    scripts: Scripts


@dataclass(frozen=True)
class Layered:
    """Layers from below, and their ledger."""

    layers: tuple[Layer, ...]
    notes: tuple[LayerNote, ...]


def take(job: Job, sandbox: Sandbox, target: Target, opening: Opening, *, drops_source: bool = False) -> Layered:
    """Cut what the scripts changed. `drops_source`: ONBUILD may have copied it. Raises BuildFailed, Unavailable."""
    contract = target.contract
    changed = sandboxed.changes(job, sandbox, contract.destination, STAGE, tuple(opening.places))
    entries = itertools.chain(changed.entries, _scripts(sandbox, target))
    deleted = changed.deleted
    if drops_source:
        entries = itertools.chain(entries, _folders(sandbox, contract.source))
        deleted = (*deleted, contract.source.strip("/"))
    try:
        with Layers(job.tools.registry, job.repository, job.source_time) as layers:
            split.cut(Changes(entries, deleted), rules.part_of, layers.open)
            sent = layers.finish()
    except InvalidInput as error:
        raise messages.unfit_tree(STAGE, error) from error
    made = [(part, sent[part]) for part in rules.ORDER if part in sent]
    return Layered(tuple(one.layer for _, one in made), tuple(_note(part, one) for part, one in made))


def _scripts(sandbox: Sandbox, target: Target) -> Iterator[tuple[Entry, Reader]]:
    """The scripts that the image does not have: they belong to it, as S2I leaves them there.

    As they were before anything ran: what a build writes into them later is not looked at for secrets.
    """
    folder = target.contract.scripts.strip("/")
    if not target.scripts.given:
        return
    yield from _folders(sandbox, f"{folder}/")
    for name, content in sorted(target.scripts.given.items()):
        entry = Entry(f"{folder}/{name}", "file", 0o755, len(content), uid=split.APP_USER)
        yield entry, Reader(io.BytesIO(content), len(content))


def _folders(sandbox: Sandbox, path: str) -> Iterator[tuple[Entry, Reader]]:
    """The folders above a path, as they are: a layer that names one sets its mode."""
    names = path.strip("/").split("/") if path.endswith("/") else path.strip("/").split("/")[:-1]
    for count in range(1, len(names) + 1):
        with closing(sandbox.read("/" + "/".join(names[:count]))) as entries:
            yield from itertools.islice(entries, 1)


def _note(part: str, sent: Sent) -> LayerNote:
    state = "new" if sent.is_new else "reused"
    why = "made by assemble" if part == rules.SOURCE else "installed by assemble"
    return LayerNote(part, sent.layer.digest, sent.layer.size, state, why if sent.is_new else "same files", sent.pushed)


def labels(job: Job, builder: Base, made: Mapping[str, str]) -> dict[str, str]:
    """What the image says of its origin, what assemble says of it (`made`), and the builder of itself for people."""
    _check_secrets(job, made)
    said = {name: value for name, value in builder.image.labels.items() if name.startswith(_KUBERNETES)}
    own = export.labels(job) | {"io.openshift.s2i.build.image": f"{builder.repository}@{builder.digest}"}
    runs_on = job.bases.run if job.bases.run is not job.bases.build else builder
    own |= {"org.opencontainers.image.base.name": runs_on.repository}
    own |= {"org.opencontainers.image.base.digest": runs_on.digest}
    if job.spec.settings.context_dir:
        own[_CONTEXT] = job.spec.settings.context_dir
    return {**said, **job.bases.run.image.labels, **made, **own}


def _check_secrets(job: Job, made: Mapping[str, str]) -> None:
    for secret, value in job.spec.secrets.items():
        if len(value.strip()) >= SHORTEST and any(value.strip() in f"{name} {text}" for name, text in made.items()):
            raise BuildFailed(
                f"a label of the image would hold the build secret {secret}",
                reason="SecretInImage",
                stage="export",
                hint="Leave it out of image_metadata.json.",
            )


def push(job: Job, target: Target, layers: Sequence[Layer], run_script: str, written: Mapping[str, str]) -> Digest:
    """Write the image into the app's repository. Raises LostLease before anything is visible."""
    base = target.base
    bases.mount(job.tools.registry, job.repository, base)
    try:
        image = images.extend(
            base.image,
            layers,
            env=job.environment,
            labels=written,
            cmd=[run_script],
            created=CREATED,
            created_by="paas: source-to-image",
        )
    except InvalidInput as error:
        raise messages.unfit_tree("export", error) from error
    job.tools.check()
    return job.tools.registry.push_image(job.repository, image)


def facts(job: Job, builder: Base, target: Target, written: Mapping[str, str]) -> dict[str, Any]:
    """For the build's record: S2I's own labels, and those of the commit, which the image does not carry."""
    own = {name: value for name, value in written.items() if name.startswith("io.openshift.s2i.build.")}
    return {
        "builder_image": builder.digest,
        "run_image": target.base.digest,
        "labels": {**own, **export.commit_labels(job.spec)},
    }
