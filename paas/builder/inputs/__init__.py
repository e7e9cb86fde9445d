"""Can a dependency step be a function of its files? One module per family of package managers answers.

Each check returns why not (one line), or nothing. A file that cannot be read as what it should be is a reason too:
in doubt the step gets the whole source, never less than it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from paas.builder.inputs import node, python

Check = Callable[[Mapping[str, bytes]], str]
"""All dependency files by path -> why the source is needed, or nothing."""

CHECKS: tuple[Check, ...] = (python.needs_source, node.needs_source)


def reason_for_source(files: Mapping[str, bytes]) -> str:
    """Why these dependency files are not all that a dependency step needs; empty if they are."""
    return next((reason for check in CHECKS if (reason := check(files))), "")


def references(files: Mapping[str, bytes]) -> frozenset[str]:
    """Paths of further dependency files that these name."""
    return python.references(files)


def are_pinned(files: Mapping[str, bytes]) -> bool:
    """Does each dependency have one version, even without a lock file?"""
    return node.are_pinned(files) and python.are_pinned(files)
