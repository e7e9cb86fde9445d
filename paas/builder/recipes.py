"""The recipes of builders' images, read from their folders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from paas.builder.catalog import Builder, Version
from paas.core import recipes
from paas.core.recipes import Recipe

RUN_DOCKERFILE = "run/Dockerfile"
_CA_FILE = "ca-bundle.crt"


def of(
    builder: Builder,
    version: Version,
    folder: Path,
    args: Mapping[str, str],
    *,
    public_base: str = "",
    stamp: str = "",
) -> list[Recipe]:
    """The build image and, where the builder has one, the run image of one version.

    `args`: what every Dockerfile is given. `stamp`: when its packages were asked for anew.
    """
    base = recipes.base(version.suite, public_base, stamp)
    given = {**args, "BASE_IMAGE": base.tag, "VERSION": version.name, **version.args}
    contents = _contents(folder)
    found = []
    for repository, dockerfile in ((builder.repository, "Dockerfile"), (builder.run_repository, RUN_DOCKERFILE)):
        if (folder / dockerfile).is_file():
            key = recipes.key(given, dockerfile, contents, stamp)
            found.append(Recipe(repository, version.name, str(folder), dockerfile, base, given, key))
    return found


def in_order(found: Iterable[Recipe]) -> list[Recipe]:
    """The largest first."""
    return sorted(found, key=lambda recipe: recipe.dockerfile == RUN_DOCKERFILE)


def _contents(folder: Path) -> list[str]:
    """Every file of a builder by name, mode and digest; its documentation and test app make no image."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or name.parts[0] == "test" or "__pycache__" in name.parts:
            continue
        if name.name != _CA_FILE and name.suffix != ".md":
            is_program = bool(path.stat().st_mode & 0o100)
            found.append(f"{name} {is_program} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return found
