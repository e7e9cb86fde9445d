"""Dependency layers that earlier builds made, kept as images in the project's own repository, tag = key.

The registry is the cache: nothing else knows a key, nothing must agree with it, and other projects cannot ask.
Each such image is the build image with the layer on top, so that `assemble` can start from it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from paas.builder import bases
from paas.builder.job import Job
from paas.errors import Forbidden, PaasError, Unavailable
from paas.oci import images
from paas.oci.digests import Digest
from paas.oci.images import Image
from paas.oci.layers import Layer

CREATED, PACKAGES = "paas.dependencies.created", "paas.dependencies.packages"
_MAX_PACKAGES = 2000


@dataclass(frozen=True)
class Kept:
    """Installed dependencies: the image to assemble on, and the layers that it has more than the builder."""

    image: Digest
    layers: tuple[Layer, ...]
    created: datetime
    packages: tuple[str, ...]


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
    return Kept(digest, layers, created, tuple(json.loads(image.labels.get(PACKAGES, "[]"))))


def keep(job: Job, key: str, layer: Layer, packages: Sequence[str]) -> Kept:
    """Keep a layer that is in the project's repository, and make it the app's too."""
    registry, repository, now = job.tools.registry, job.dependency_repository, job.tools.now.astimezone(UTC)
    labels = {CREATED: now.isoformat(timespec="seconds"), PACKAGES: json.dumps(list(packages)[:_MAX_PACKAGES])}
    image = images.extend(job.bases.build.image, [layer], labels=labels, created_by="paas: dependencies")
    bases.mount(registry, repository, job.bases.build)
    job.tools.check()
    digest = registry.push_image(repository, image, tag=key)
    bases.mount_layers(registry, job.repository, [layer], repository)
    return Kept(digest, (layer,), now, tuple(packages))


def _created(image: Image) -> datetime | None:
    try:
        created = datetime.fromisoformat(image.labels.get(CREATED, ""))
    except ValueError:
        return None
    return created if created.tzinfo else None
