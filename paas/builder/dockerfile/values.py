"""What a stage begins with, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

from paas.core.builds import LayerNote
from paas.oci.images import Image


@dataclass(frozen=True)
class Base:
    """An image in our registry."""

    image: Image
    repository: str
    digest: str
    is_empty: bool = False
    """`scratch`: its one layer, which engines need, is not part of the result."""


@dataclass(frozen=True)
class Built:
    """A stage's files: an image in the registry, its base, and a note for each layer above it."""

    base: Base
    image: Image
    repository: str
    digest: str
    notes: tuple[LayerNote, ...] = ()
