"""What an image of the platform's own is made from: a base, a folder, arguments. Its tag is the digest of all that,
so what is there is right, and two installations on one engine share it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SUITE = "trixie"
"""Debian's stable release: the base of builders that name none."""
UNSTABLE = "sid"
_OPTIONS = (
    "--variant=minbase",
    "--include=ca-certificates",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=Dir::Cache::pkgcache ""',
    '--aptopt=Dir::Cache::srcpkgcache ""',
)
"""Argued in builders/debian/README.md."""
_UNSTABLE_OPTIONS = ('--aptopt=Acquire::Check-Valid-Until "false"',)
"""A mirror may be behind, and unstable's index is valid for a week only."""


@dataclass(frozen=True)
class Base:
    """The Debian that builders stand on."""

    suite: str
    tag: str
    options: tuple[str, ...] = ()
    """Of mmdebstrap; none where it is a public image."""


@dataclass(frozen=True)
class Recipe:
    """One image of one version of a builder."""

    repository: str
    """In the registry; `builders/python-run`."""
    version: str
    folder: str
    dockerfile: str
    base: Base
    args: Mapping[str, str]
    key: str

    @property
    def name(self) -> str:
        """The image's repository on the engine."""
        return f"paas/{self.repository.removeprefix('builders/')}"

    @property
    def tag(self) -> str:
        return f"{self.name}:{self.version}-{self.key}"


def base(suite: str, public: str = "", stamp: str = "") -> Base:
    """The base of a suite: the operator's public image, or one of our own making.

    `public` names the one of trixie (`debian:trixie-slim`); other suites' are called alike.
    `stamp`: when its packages were asked for anew.
    """
    if public:
        return Base(suite, public.replace(SUITE, suite))
    options = (*_OPTIONS, *(_UNSTABLE_OPTIONS if suite == UNSTABLE else ()))
    return Base(suite, f"paas/debian:{suite}-{digest([suite, *options, *filter(None, [stamp])])}", options)


def key(args: Mapping[str, str], dockerfile: str, contents: Sequence[str], stamp: str = "") -> str:
    """The digest of all that an image is made from."""
    return digest([json.dumps(dict(args), sort_keys=True), dockerfile, *contents, *filter(None, [stamp])])


def digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
