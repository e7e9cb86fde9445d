"""Why a layer is another one than in the last build: the ledger's words."""

from __future__ import annotations

from collections.abc import Sequence

from paas.builder.messages import size

_WORDS = frozenset({"added", "removed", "changed"})


def without_cache() -> str:
    return "made anew (--no-cache)"


def other_builder(old: str, new: str) -> str:
    return f"{new} instead of {old}"


def same_package() -> str:
    return "same version"


def builder_updated(builder: str) -> str:
    return f"{builder} was updated"


def input_changed(path: str, what: str, more: int) -> str:
    others = f", and {more} more file{'s' if more > 1 else ''}" if more else ""
    return f"{path}{'' if what in _WORDS else ':'} {what}{others}"


def files_changed(paths: Sequence[str]) -> str:
    """Which files of the source are other ones than in the last build."""
    if not paths:
        return ""
    named = ", ".join(paths[:3]) + (", …" if len(paths) > 3 else "")
    return f"{len(paths)} file{'s' if len(paths) > 1 else ''} changed: {named}"


def grown(count: int, percent: int, number: int) -> str:
    return f" !     The layers have {size(count)} more than those of build {number} (+{percent} %)"
