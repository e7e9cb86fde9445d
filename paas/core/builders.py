"""What the platform tells about its builders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class VersionInfo:
    """One version: made where the registry has its images."""

    version: str
    suite: str
    is_default: bool
    is_made: bool
    build_image: str
    """Digest."""
    run_image: str
    """Digest; the build image's where there is no run image of its own."""
    updated_at: datetime | None
    """When its packages were last asked for anew."""


@dataclass(frozen=True)
class BuilderInfo:
    """A builder, how it recognises a source, and its versions."""

    name: str
    title: str
    detect: list[str]
    version_files: list[str]
    versions: list[VersionInfo]


@dataclass(frozen=True)
class Usage:
    """What a builder says about itself."""

    text: str


@dataclass(frozen=True)
class Package:
    """How one package of a builder's image changed."""

    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Updated:
    """A patched builder: digests of the run image, and what is newer in it."""

    builder: str
    old: str
    new: str
    packages: list[Package]


def changed_packages(old: dict[str, str], new: dict[str, str]) -> list[Package]:
    """What was added, removed or has another version, by name."""
    names = sorted(old.keys() | new.keys())
    return [Package(name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)]
