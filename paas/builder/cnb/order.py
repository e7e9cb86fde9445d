"""From an order that may name composite buildpacks to the groups that are tried, one after another.

Expanded depth first, from left to right. An optional component stays in its group and may fail there; an optional
composite is left out in a copy of the group that comes after the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paas.builder.cnb import messages
from paas.builder.cnb.descriptors import Descriptor, Group, Ref

MAX_GROUPS = 500

Find = Callable[[Ref], Descriptor]


def resolve(order: Sequence[Group], find: Find) -> tuple[Group, ...]:
    """Groups of components only, each of them once, with their versions. Raises BuildFailed."""
    return tuple(_once(group) for group in _resolve(order, find, ()))


def around(order: Sequence[Group], before: Group, after: Group) -> tuple[Group, ...]:
    """The order with members put around every group."""
    return tuple((*before, *group, *after) for group in order)


def _resolve(order: Sequence[Group], find: Find, path: tuple[str, ...]) -> list[Group]:
    found = [group for given in order for group in _expand(given, find, path)]
    return _few(found)


def _expand(group: Group, find: Find, path: tuple[str, ...]) -> list[Group]:
    found: list[Group] = [()]
    for ref in group:
        known = find(ref)
        choices: list[Group] = [(Ref(known.id, known.version, ref.optional),)]
        if known.order:
            if str(known) in path:
                raise messages.in_circles((*path, str(known)))
            choices = _resolve(known.order, find, (*path, str(known)))
            choices += [()] if ref.optional else []
        found = _few([(*before, *choice) for before in found for choice in choices[: MAX_GROUPS + 1]])
    return found


def _few(groups: list[Group]) -> list[Group]:
    if len(groups) > MAX_GROUPS:
        raise messages.invalid_buildpack("the order", f"has more than {MAX_GROUPS} groups")
    return groups


def _once(group: Group) -> Group:
    """A buildpack that is named twice runs where it is named first."""
    found: dict[str, Ref] = {}
    for ref in group:
        found.setdefault(ref.id, ref)
    return tuple(found.values())
