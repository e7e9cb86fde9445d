"""Which builder a source needs, and why: decided by the names of its files alone.

No guess: two builders that fit are a question to the app's owner, and none that fits is an answer that lists
what was looked for.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from paas.builder import messages
from paas.builder.catalog import Builder


@dataclass(frozen=True)
class Detected:
    """The builder, and the file that spoke for it (empty: the owner chose)."""

    builder: Builder
    file: str


def detect(names: Collection[str], catalog: Mapping[str, Builder], chosen: str = "") -> Detected:
    """The builder for a source with these paths; `chosen` is its owner's choice, by name. Raises BuildFailed."""
    if chosen:
        if chosen not in catalog:
            raise messages.unknown_builder(chosen, catalog)
        return Detected(catalog[chosen], "")
    found = [Detected(builder, file) for builder in catalog.values() if (file := _reason(builder, names))]
    if not found:
        raise messages.no_builder(catalog)
    if len(found) > 1:
        raise messages.ambiguous_builder([(match.builder, match.file) for match in found])
    return found[0]


def _reason(builder: Builder, names: Collection[str]) -> str:
    """The file that makes the source this builder's; empty if none does."""
    if any(_first(pattern, names) for pattern in builder.detect_unless):
        return ""
    return next((file for pattern in builder.detect_any if (file := _first(pattern, names))), "")


def _first(pattern: str, names: Collection[str]) -> str:
    if not any(char in pattern for char in "*?["):
        return pattern if pattern in names else ""
    return min((name for name in names if "/" not in name and fnmatch.fnmatchcase(name, pattern)), default="")
