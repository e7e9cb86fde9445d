"""Layers on their way into the registry: written while they are made, sent once.

A layer that the repository has already is recognised by its digest when it is complete, and not sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from paas.builder.split import Part
from paas.oci.archive import EPOCH
from paas.oci.layers import Layer, LayerWriter
from paas.oci.registry import Registry
from paas.oci.uploads import Upload


@dataclass(frozen=True)
class Sent:
    """A layer that is in the repository."""

    layer: Layer
    is_new: bool
    """The repository did not have it."""

    @property
    def pushed(self) -> int:
        """Bytes that this build added to the repository."""
        return self.layer.size if self.is_new else 0


class Layers:
    """The layers of one step in one repository; a context that leaves no unfinished upload."""

    def __init__(self, registry: Registry, repository: str, source_time: int = EPOCH) -> None:
        self._registry = registry
        self._source_time = source_time
        self._repository = repository
        self._open: dict[Part, tuple[LayerWriter, Upload]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, upload in self._open.values():
            upload.cancel()

    def open(self, part: Part) -> LayerWriter:
        """Start a layer."""
        upload = self._registry.upload(self._repository)
        writer = LayerWriter(upload.write, mtime=self._source_time if part == "source" else EPOCH)
        self._open[part] = writer, upload
        return writer

    def finish(self) -> Mapping[Part, Sent]:
        """Complete all layers that were started."""
        return {part: self._finish(*opened) for part, opened in sorted(self._open.items())}

    def _finish(self, writer: LayerWriter, upload: Upload) -> Sent:
        layer = writer.finish()
        if self._registry.has_blob(self._repository, layer.digest):
            upload.cancel()
            return Sent(layer, is_new=False)
        upload.commit(layer.digest)
        return Sent(layer, is_new=True)
