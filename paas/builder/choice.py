"""Which strategy a build takes: the owner's choice, or the first that recognises the source.

The order is Dokku's: a file that asks for one strategy by name comes before a Dockerfile, and that before what
merely looks like a language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from paas.builder import messages
from paas.builder.job import Fetched, Made, Tools
from paas.builder.source import SourceFiles
from paas.builder.stages import Stages
from paas.builder.strategies import buildpacks, dockerfile, image, s2i
from paas.core.builds import BuildSpec, Strategy


@dataclass(frozen=True)
class Way:
    """One strategy."""

    name: Strategy
    wanted: Callable[[Tools], Mapping[str, int]]
    """The source's files that it decides by, with how much of each is read."""
    detect: Callable[[SourceFiles], str]
    """The file that asks for it; empty: none does."""
    build: Callable[[Fetched, Stages], Made]


WAYS = (
    Way(Strategy.s2i, s2i.wanted, s2i.detect, s2i.build),
    Way(Strategy.buildpacks, buildpacks.wanted, buildpacks.detect, buildpacks.build),
    Way(Strategy.dockerfile, dockerfile.wanted, dockerfile.detect, dockerfile.build),
    Way(Strategy.image, image.wanted, image.detect, image.build),
)
"""In the order in which `auto` asks them."""


@dataclass(frozen=True)
class Choice:
    """A strategy, and why."""

    way: Way
    told: str = ""
    """A line for the app's owner, where the choice may surprise."""


def choose(spec: BuildSpec, files: SourceFiles, tools: Tools) -> Choice:
    """The strategy of a build. Raises BuildFailed where the owner's choice does not exist."""
    wanted = spec.settings.strategy
    if spec.source_image:
        return Choice(_named(Strategy.image))
    if wanted != Strategy.auto:
        return Choice(_named(wanted))
    if spec.builder:
        return Choice(_named(Strategy.s2i))
    if spec.settings.dockerfile or spec.settings.target:
        return Choice(_named(Strategy.dockerfile))
    for way in WAYS:
        file = way.detect(files)
        if file and (way.name != Strategy.dockerfile or tools.dockerfile_builds):
            return Choice(way, messages.chosen(way.name, file))
    return Choice(_named(Strategy.s2i))


def _named(name: Strategy) -> Way:
    for way in WAYS:
        if way.name == name:
            return way
    raise messages.unknown_strategy(name, [way.name for way in WAYS])


def wanted(tools: Tools) -> dict[str, int]:
    """All files that any strategy decides by."""
    found: dict[str, int] = {}
    for way in WAYS:
        for path, limit in way.wanted(tools).items():
            found[path] = max(limit, found.get(path, 0))
    return found
