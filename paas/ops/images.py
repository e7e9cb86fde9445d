"""The images that `paas up` makes sure of, and how an installation's are removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from paas import bootstrap, workshop
from paas.builder import catalog
from paas.builder import recipes as builder_recipes
from paas.core.recipes import Recipe
from paas.drivers.docker import builders
from paas.drivers.docker.client import Engine
from paas.drivers.docker.images import remove_everything
from paas.errors import InvalidInput, NotFound, Unavailable
from paas.oci.registry import Registry
from paas.ports import Say
from paas.settings import Settings

ALL = "all"


def alone(settings: Settings) -> AbstractContextManager[None]:
    """Nobody else on this machine makes or removes images meanwhile."""
    return builders.alone(settings.run_folder)


def recipes(settings: Settings, wanted: str = "") -> list[Recipe]:
    """The images of these builders (`NAME` or `NAME:VERSION`, separated by blanks; `all`), the largest first.

    Without `wanted` those that the operator chose to have ready. Raises InvalidInput naming the setting.
    """
    known = catalog.load(settings.builders)
    words = (wanted or settings.ready_builders).split()
    found: dict[str, Recipe] = {}
    for builder in known.values():
        for version in builder.all_versions():
            label = f"{builder.name}:{version.name}"
            if {ALL, label} & {*words} or (builder.name in words and version.name == builder.version):
                for recipe in workshop.recipes(settings, builder, version):
                    found[f"{recipe.repository}:{recipe.version}"] = recipe
    _check(words, known)
    return builder_recipes.in_order(found.values())


def _check(words: Sequence[str], known: Mapping[str, catalog.Builder]) -> None:
    there = {ALL, *known, *(f"{b.name}:{v.name}" for b in known.values() for v in b.all_versions())}
    for word in words:
        if word not in there:
            raise InvalidInput(
                f"PAAS_READY_BUILDERS: there is no builder {word!r}",
                field="PAAS_READY_BUILDERS",
                hint=f"There are: {', '.join(sorted(there))}.",
            )


def make(settings: Settings, owner: str, words: str, say: Say) -> None:
    """The images of these builders, made and in the registry. Raises BuildFailed, Unavailable."""
    opened, wanted = bootstrap.engine(settings), recipes(settings, words)
    with alone(settings):
        make_bases(settings, opened, owner, wanted, say)
        make_builders(settings, opened, owner, wanted, say)
        push_builders(settings, opened, wanted, say)


def make_bases(settings: Settings, engine: Engine, owner: str, wanted: Sequence[Recipe], say: Say) -> None:
    """The Debians that these images stand on. Raises Unavailable."""
    builders.make_bases(workshop.place(settings, engine, owner), wanted, say)


def make_builders(settings: Settings, engine: Engine, owner: str, wanted: Sequence[Recipe], say: Say) -> None:
    """These images. Raises BuildFailed, Unavailable."""
    builders.make(workshop.place(settings, engine, owner), wanted, say)


def push_builders(settings: Settings, engine: Engine, wanted: Sequence[Recipe], say: Say) -> None:
    """The registry has each of these images under its version. Raises Unavailable."""
    with Registry(settings.registry_url, bootstrap.token_source(settings)) as registry:
        builders.push(engine, registry, wanted, settings.state / workshop.PUSHED, say)


def remove(settings: Settings, engine: Engine, installation: str) -> dict[str, int]:
    """What the installation made on the engine is gone; how many of each."""
    counts = remove_everything(engine, installation, registry_host=settings.registry_host)
    with engine.door("list images of our registry") as api:
        listed = [name for image in api.images() for name in _names(image, f"{settings.registry_host}/")]
    for name in listed:
        try:
            with engine.door(f"remove {name}") as api:
                api.remove_image(name)
        except (NotFound, Unavailable):
            continue
    return counts


def _names(image: Mapping[str, list[str] | None], head: str) -> list[str]:
    names = [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]
    return [name for name in names if name.startswith(head)]
