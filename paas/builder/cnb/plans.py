"""The build plan: what the buildpacks of a group provide and require, and whether that comes out even.

A buildpack may offer several plans; the trials go through them depth first, from left to right, and the first that
holds counts. An optional buildpack that does not fit is left out of it, a required one ends the trial.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from paas.builder.cnb import messages, toml
from paas.builder.cnb.descriptors import Group, Ref

MAX_TRIALS = 5000
_MAX_ENTRIES = 500


@dataclass(frozen=True)
class Require:
    """Something that a buildpack needs."""

    name: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One of the plans that a buildpack offers."""

    provides: tuple[str, ...] = ()
    requires: tuple[Require, ...] = ()


@dataclass(frozen=True)
class Entry:
    """What is to be provided under one name, and by whom, in the order of the group."""

    name: str
    providers: tuple[str, ...]
    requires: tuple[Require, ...]


@dataclass(frozen=True)
class Plan:
    """The group that builds, and what is asked of it."""

    group: Group
    entries: tuple[Entry, ...] = ()

    def of(self, buildpack: str) -> tuple[Require, ...]:
        """What one buildpack is asked for."""
        return tuple(require for entry in self.entries if buildpack in entry.providers for require in entry.requires)

    def after(self, buildpack: str, unmet: Iterable[str]) -> Plan:
        """What stays open when it has built: all that it was not asked for, and what it did not meet."""
        open_names = set(unmet)
        kept = (entry for entry in self.entries if buildpack not in entry.providers or entry.name in open_names)
        return replace(self, entries=tuple(kept))


def parse(content: bytes, name: str) -> tuple[Section, ...]:
    """What a buildpack's detect wrote. Raises BuildFailed."""
    try:
        table = toml.parse(content)
        return (_section(table), *map(_section, _tables(table, "or")))
    except ValueError as error:
        raise messages.invalid_output(name, f"a build plan that {error}", "detect") from None


def solve(group: Group, sections: Mapping[str, Sequence[Section]]) -> Plan | str:
    """The first trial that holds; else why none does. The group: all members whose detect passed."""
    offers = [sections.get(ref.id) or (Section(),) for ref in group]
    why = ""
    for count, choice in enumerate(itertools.product(*offers)):
        if count == MAX_TRIALS:
            return f"more than {MAX_TRIALS} combinations of build plans"
        found = _try(list(zip(group, choice, strict=True)))
        if isinstance(found, Plan):
            return found
        why = why or found
    return why


def render(requires: Iterable[Require]) -> bytes:
    """The buildpack plan of one buildpack."""
    entries = [
        {"name": require.name, **({"metadata": require.metadata} if require.metadata else {})} for require in requires
    ]
    return toml.dump({"entries": entries} if entries else {})


def _try(trial: list[tuple[Ref, Section]]) -> Plan | str:
    while True:
        found = _misfit(trial)
        if found is None:
            break
        place, why = found
        if not trial[place][0].optional:
            return f"{trial[place][0]} {why}"
        del trial[place]
    if not trial:
        return "none of its buildpacks is left"
    return Plan(tuple(ref for ref, _ in trial), _entries(trial))


def _misfit(trial: list[tuple[Ref, Section]]) -> tuple[int, str] | None:
    """The first member that requires what nobody up to it provides, or provides what nobody from it on requires."""
    provided: set[str] = set()
    for place, (_, section) in enumerate(trial):
        provided |= set(section.provides)
        for require in section.requires:
            if require.name not in provided:
                return place, f"requires {require.name[:60]!r}, which none before it provides"
    required: set[str] = set()
    for place in range(len(trial) - 1, -1, -1):
        section = trial[place][1]
        required |= {require.name for require in section.requires}
        for name in section.provides:
            if name not in required:
                return place, f"provides {name[:60]!r}, which none after it requires"
    return None


def _entries(trial: list[tuple[Ref, Section]]) -> tuple[Entry, ...]:
    names = dict.fromkeys(require.name for _, section in trial for require in section.requires)
    return tuple(
        Entry(
            name,
            tuple(ref.id for ref, section in trial if name in section.provides),
            tuple(require for _, section in trial for require in section.requires if require.name == name),
        )
        for name in names
    )


def _section(table: Mapping[str, Any]) -> Section:
    requires = [Require(_name(item), _metadata(item)) for item in _tables(table, "requires")]
    return Section(tuple(_name(item) for item in _tables(table, "provides")), tuple(requires))


def _tables(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value) or len(value) > _MAX_ENTRIES:
        raise ValueError(f"has a {key} that is not a list of at most {_MAX_ENTRIES} tables")
    return value


def _name(item: Mapping[str, Any]) -> str:
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError("has an entry without a name")
    return name


def _metadata(item: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = item.get("metadata", {})
    if not isinstance(metadata, dict):
        raise ValueError("has metadata that is not a table")
    return metadata
