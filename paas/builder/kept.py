"""Dependency layers that earlier builds made, kept as images in the project's own repository, tag = key.

The registry is the cache: nothing else knows a key, nothing must agree with it, and other projects cannot ask.
Each such image is the build image with the layer on top, so that `assemble` can start from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from paas.builder import bases
from paas.builder.job import Job
from paas.builder.split import Part
from paas.errors import Forbidden, PaasError, Unavailable
from paas.oci import images
from paas.oci.digests import Digest
from paas.oci.images import Image
from paas.oci.layers import Layer

CREATED, PACKAGES = "paas.dependencies.created", "paas.dependencies.packages"
PARTS, LINES = "paas.dependencies.parts", "paas.dependencies.lines"
_MAX_PACKAGES = 2000


@dataclass(frozen=True)
class Kept:
    """Installed dependencies: the image to assemble on, and the layers that it has more than the builder."""

    image: Digest
    parts: Mapping[Part, Layer]
    """The layers by name, from below."""
    created: datetime
    packages: tuple[str, ...]
    lines: Mapping[str, str] = field(default_factory=dict)
    """By project: what a later build must want to get the same again; empty: it gets nothing of this."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """From below."""
        return tuple(self.parts.values())


def find(job: Job, key: str) -> Kept | None:
    """What is kept under the key, with its layers made the app's too; nothing where any of it is gone."""
    registry, repository = job.tools.registry, job.dependency_repository
    try:
        digest = registry.digest_of(repository, key)
        image = registry.image(repository, digest)
    except (Unavailable, Forbidden):
        raise
    except PaasError:  # not there, or damaged on the registry's disk
        return None
    base = job.bases.build.image.layers
    layers = image.layers[len(base) :]
    created = _created(image)
    if image.layers[: len(base)] != base or not layers or created is None:
        return None
    if not all(registry.mount(job.repository, layer.digest, repository) for layer in layers):
        return None
    names = _said(image, PARTS)
    if len(names) != len(layers):
        return None
    return Kept(digest, dict(zip(names, layers, strict=True)), created, tuple(_said(image, PACKAGES)), _lines(image))


def keep(job: Job, key: str, parts: Mapping[Part, Layer], packages: Sequence[str], lines: Mapping[str, str]) -> Kept:
    """Keep layers that are in the project's repository, and make them the app's too."""
    registry, repository, now = job.tools.registry, job.dependency_repository, job.tools.now.astimezone(UTC)
    layers = tuple(parts.values())
    said = {PACKAGES: list(packages)[:_MAX_PACKAGES], PARTS: list(parts), LINES: dict(lines)}
    labels = {CREATED: now.isoformat(timespec="seconds"), **{name: json.dumps(value) for name, value in said.items()}}
    image = images.extend(job.bases.build.image, layers, labels=labels, created_by="paas: dependencies")
    bases.mount(registry, repository, job.bases.build)
    job.tools.check()
    digest = registry.push_image(repository, image, tag=key)
    bases.mount_layers(registry, job.repository, layers, repository)
    return Kept(digest, parts, now, tuple(packages), lines)


def _said(image: Image, label: str) -> list[str]:
    found: list[str] = json.loads(image.labels.get(label, "[]"))
    return found


def _lines(image: Image) -> dict[str, str]:
    found: dict[str, str] = json.loads(image.labels.get(LINES, "{}"))
    return found


def _created(image: Image) -> datetime | None:
    try:
        created = datetime.fromisoformat(image.labels.get(CREATED, ""))
    except ValueError:
        return None
    return created if created.tzinfo else None
