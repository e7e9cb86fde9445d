"""The images that a build stands on: the builder's, and the slim one that the app will run on.

Their tags are resolved once per build; from then on only digests are used, so a tag that moves changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from paas.builder import messages
from paas.builder.catalog import Builder
from paas.errors import NotFound
from paas.oci.digests import Digest
from paas.oci.images import Image
from paas.oci.layers import Layer
from paas.oci.registry import Registry

_AT_ONCE = 4


@dataclass(frozen=True)
class Base:
    """An image in the registry."""

    repository: str
    digest: Digest
    image: Image


@dataclass(frozen=True)
class Bases:
    """Where `assemble` runs and where its result runs; the same one where a builder has no run image."""

    build: Base
    run: Base

    @property
    def platform(self) -> str:
        return f"{self.build.image.config['os']}/{self.build.image.config['architecture']}"


def resolve(registry: Registry, builder: Builder) -> Bases:
    """The builder's images as they are now. Raises BuildFailed where it has none."""
    try:
        build = _read(registry, builder.repository, builder.version)
    except NotFound as error:
        raise messages.missing_builder_image(builder) from error
    try:
        return Bases(build, _read(registry, builder.run_repository, builder.version))
    except NotFound:
        return Bases(build, build)


def is_made(registry: Registry, builder: Builder) -> bool:
    """Does the registry have the build image?"""
    try:
        registry.digest_of(builder.repository, builder.version)
    except NotFound:
        return False
    return True


def mount(registry: Registry, repository: str, base: Base) -> None:
    """Make the base's layers the repository's too, by reference. Raises Unavailable."""
    mount_layers(registry, repository, base.image.layers, base.repository)


def mount_layers(registry: Registry, repository: str, layers: Sequence[Layer], source: str) -> None:
    """The same for any layers of another repository. Raises Unavailable where one is missing there."""
    digests = list(dict.fromkeys(layer.digest for layer in layers))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mount") as pool:
        mounted = list(pool.map(lambda digest: registry.mount(repository, digest, source), digests))
    missing = [digest for digest, done in zip(digests, mounted, strict=True) if not done]
    if missing:
        raise messages.missing_layer(source, missing[0])


def _read(registry: Registry, repository: str, version: str) -> Base:
    digest = registry.digest_of(repository, version)
    return Base(repository, digest, registry.image(repository, digest))
