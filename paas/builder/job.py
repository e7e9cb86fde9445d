"""What a build works with: the platform's tools, and all that is known of this one build."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from paas.builder import messages
from paas.builder.bases import Bases
from paas.builder.catalog import Builder
from paas.builder.source import Open, SourceFiles
from paas.core.builds import BuildSpec, LayerNote, Limits
from paas.core.processes import HealthCheck
from paas.oci import archive
from paas.oci.archive import EPOCH
from paas.oci.digests import Digest, parse_digest
from paas.oci.registry import Registry
from paas.ports import Sandboxes, Say

_TIME_SPAN = 25 * 365 * 86400


def _no_maker(builder: Builder, say: Say) -> None:
    raise messages.missing_builder_image(builder)


def _no_import(reference: str) -> tuple[str, Digest]:
    raise messages.no_import(reference)


@dataclass(frozen=True)
class Tools:
    """What the platform lends to a build."""

    registry: Registry
    registry_host: str
    """The registry as image references name it."""
    sandboxes: Sandboxes
    catalog: Mapping[str, Builder]
    limits: Limits
    source_limits: archive.Limits
    check: Callable[[], None]
    """Raises when the build was cancelled or another worker has it."""
    dependency_max_age: int
    """Seconds after which unpinned dependencies are resolved anew."""
    now: datetime
    index_settings: Mapping[str, str] = field(default_factory=dict)
    """Those of the sandboxes' variables that decide where packages come from."""
    buildpacks: Path | None = None
    """Folder of the buildpacks that the platform brings."""
    dockerfile_builds: bool = True
    """Whether the operator lets sources be built by their own Dockerfile."""
    import_image: Callable[[str], tuple[str, Digest]] = _no_import
    """Brings an image from elsewhere: its repository and digest in our registry. Raises BuildFailed, Unavailable."""
    make_builder: Callable[[Builder, Say], None] = _no_maker
    """Makes the images of a builder that the registry does not have. Raises BuildFailed, Unavailable."""


@dataclass(frozen=True)
class Fetched:
    """One build, when its source was read: what every strategy is given."""

    spec: BuildSpec
    tools: Tools
    say: Say
    files: SourceFiles
    """Of the folder `spec.settings.context_dir`."""

    @property
    def repository(self) -> str:
        """Of the app's images, and of its sources."""
        return app_repository(self.spec)


@dataclass(frozen=True)
class Made:
    """What a strategy gives back: an image in the app's repository, and what it says about running it."""

    image: Digest
    builder: str
    """For people: `python:3.13`, `buildpacks`, `Dockerfile`, an image's reference."""
    processes: Mapping[str, tuple[str, ...]]
    release_command: tuple[str, ...] = ()
    health: Mapping[str, HealthCheck] = field(default_factory=dict)
    ledger: tuple[LayerNote, ...] = ()
    """From the lowest layer above the base to the topmost."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """For the build's record; `inputs`: {path: sha256 of the file} of what the kept layers depend on."""


@dataclass(frozen=True)
class Job:
    """An S2I build, when its builder was found."""

    spec: BuildSpec
    tools: Tools
    say: Say
    builder: Builder
    bases: Bases
    files: SourceFiles
    environment: Mapping[str, str]
    """Of `.s2i/environment`."""

    @property
    def repository(self) -> str:
        """Of the app's images, and of its sources."""
        return app_repository(self.spec)

    @property
    def source_time(self) -> int:
        """The time of the source layer's files, in seconds: fixed by the source, another for another source.

        Web servers make an ETag of time and size; one time for all sources would tell browsers that a page which
        changed without changing its size is still the same.
        """
        return EPOCH + int(self.spec.source_digest.rpartition(":")[2][:8], 16) % _TIME_SPAN

    @property
    def dependency_repository(self) -> str:
        return f"projects/{self.spec.project_id}/dependencies"

    def reference(self, repository: str, digest: str) -> str:
        """How an engine names an image of the registry."""
        return f"{self.tools.registry_host}/{repository}@{digest}"


def app_repository(spec: BuildSpec) -> str:
    """Where the registry holds an app's sources and images."""
    return f"apps/{spec.app_id}"


def open_source(spec: BuildSpec, tools: Tools) -> Open:
    """Starts the source's tar from its first byte."""
    digest = parse_digest(spec.source_digest)
    return lambda: tools.registry.open_blob(app_repository(spec), digest)
