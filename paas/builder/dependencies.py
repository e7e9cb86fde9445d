"""What a dependency layer is a function of, and how long it may stand in for a fresh one.

The layer is kept under the digest of everything its step sees: both images, the platform, the dependency files,
the environment. What cannot be named so is never kept; the step then runs together with the whole source.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from paas.builder import inputs
from paas.builder.catalog import Builder
from paas.oci.digests import Digest

_FORM = 1
"""Of the key; a new number makes all kept layers unknown."""


@dataclass(frozen=True)
class Declared:
    """The step sees these files only."""

    files: Mapping[str, bytes]
    is_pinned: bool

    @property
    def main(self) -> str:
        """The file to name to people."""
        return next(iter(self.files))


@dataclass(frozen=True)
class Widened:
    """The step needs the whole source."""

    reason: str


@dataclass(frozen=True)
class Nothing:
    """There are no dependencies to install."""


Plan = Declared | Widened | Nothing


@dataclass(frozen=True)
class Inputs:
    """All that the key of a dependency layer is made from."""

    builder: Digest
    run: Digest
    platform: str
    files: Mapping[str, bytes]
    environment: Mapping[str, str] = field(default_factory=dict)


def select(builder: Builder, contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """The builder's dependency files that are there, with all that they nest."""
    found = {path: contents[path] for path in builder.dependency_files if path in contents}
    while missing := {path for path in inputs.references(found) if path in contents} - found.keys():
        found |= {path: contents[path] for path in sorted(missing)}
    return found


def plan(builder: Builder, files: Mapping[str, bytes], unreadable: Mapping[str, str], own_assemble: bool) -> Plan:
    """How the dependencies of a source are to be installed.

    `files`: those of the builder's dependency files that are there, with all that they nest; `unreadable`: those
    that are links to nothing that was found.
    """
    if own_assemble:
        return Widened("the source has its own .s2i/bin/assemble")
    if not builder.dependency_files:
        return Widened(f"the {builder.name} builder has no dependency step") if not builder.copy else Nothing()
    if unreadable:
        return Widened(f"{min(unreadable)} is a link that leads to no file of the source")
    if not files:
        return Nothing()
    reason = inputs.reason_for_source(files)
    if reason:
        return Widened(reason)
    ordered = {path: files[path] for path in _in_order(builder, files)}
    is_locked = any(path in files for path in builder.lock_files)
    return Declared(ordered, is_locked or inputs.are_pinned(files))


def key(made_of: Inputs) -> str:
    """The name of the layer that these inputs make: 64 hex digits."""
    document = {
        "form": _FORM,
        "builder": made_of.builder,
        "run": made_of.run,
        "platform": made_of.platform,
        "files": sorted((path, hashlib.sha256(body).hexdigest()) for path, body in made_of.files.items()),
        "environment": sorted(made_of.environment.items()),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def scope(made_of: Inputs) -> str:
    """The name of all but the files: layers of one package may be used again where it is the same."""
    return key(replace(made_of, files={}))


def is_fresh(created: datetime, now: datetime, max_age: int) -> bool:
    """May dependencies without pinned versions that were chosen then still be used?"""
    return 0 <= (now - created).total_seconds() < max_age


def _in_order(builder: Builder, files: Mapping[str, bytes]) -> list[str]:
    """Lock files first, then in the builder's order: the first one is what people know it by."""
    named = [*builder.lock_files, *builder.dependency_files]
    return sorted(files, key=lambda path: (named.index(path) if path in named else len(named), path))
