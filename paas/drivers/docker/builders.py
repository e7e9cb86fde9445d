"""Base images and builders' images: made on the engine where they are missing, and put into the registry.

Making one takes from seconds to minutes, so it happens once per machine: whoever makes images holds one lock.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from paas import programs
from paas.core.recipes import Base, Recipe
from paas.drivers.docker import locks
from paas.drivers.docker.client import Engine
from paas.drivers.docker.images import Images
from paas.errors import Conflict, NotFound, Unavailable
from paas.oci import archive, saved
from paas.oci.registry import Registry
from paas.oci.streams import Chunks
from paas.ports import Say

_AT_ONCE = 3
_STEP_IMAGE = re.compile(r"^ ---> ([0-9a-f]{12})$")
_BASE_SECONDS = 900.0
_SAVE_SILENCE = 300.0
_ALONE_SECONDS = 1200.0

_DPKG = "/var/lib/dpkg/status"
_DPKG_LIMITS = archive.Limits(max_bytes=64 * 1024 * 1024, max_entries=10)

Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Workshop:
    """Where images are made."""

    engine: Engine
    owner: str
    """The installation that images belong to."""
    run_folder: Path
    scratch: Path
    """A folder for a base image's tar."""
    proxies: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: bytes = b""

    @property
    def images(self) -> Images:
        return Images(self.engine, installation=self.owner)


def alone(run_folder: Path) -> AbstractContextManager[None]:
    """Nobody else on this machine makes or removes images meanwhile: installations share them by their tag."""
    run = Path("/run")
    folder = run if os.access(run, os.W_OK) else run_folder
    return locks.held(folder / "paas-images.lock", timeout=_ALONE_SECONDS)


def make_bases(workshop: Workshop, recipes: Iterable[Recipe], say: Say) -> None:
    """Debian from its packages, for each suite whose base is missing and no public image. Raises Unavailable."""
    bases = {recipe.base.tag: recipe.base for recipe in recipes}
    missing = [base for base in bases.values() if base.options and not workshop.images.exists(base.tag)]
    for base in missing:
        say(f"Making the base image, Debian {base.suite}")
        _make_base(workshop, base)
    say(f"{len(missing)} made" if missing else "there already")


def _make_base(workshop: Workshop, base: Base) -> None:
    tar = workshop.scratch / f"base-{base.suite}.tar"
    workshop.scratch.mkdir(parents=True, exist_ok=True)
    try:
        done = programs.run(
            ["mmdebstrap", "--quiet", *base.options, base.suite, str(tar)],
            cwd=tar.parent,
            env={"TMPDIR": str(tar.parent), **workshop.proxies},
            timeout=_BASE_SECONDS,
        )
        if done.code:
            told = done.stderr.decode("utf-8", "replace").strip()[-500:]
            raise Unavailable(f"mmdebstrap could not make the base image: {told}", hint="Is a Debian mirror reachable?")
        workshop.images.import_base(base.tag, tar)
    finally:
        tar.unlink(missing_ok=True)


def make(workshop: Workshop, recipes: Sequence[Recipe], say: Say, *, fresh: bool = False) -> None:
    """The images that are missing, some at the same time. Raises BuildFailed, Unavailable."""
    images = workshop.images
    missing = [recipe for recipe in recipes if not images.exists(recipe.tag)]

    def build(recipe: Recipe) -> None:
        def tell(line: str) -> None:
            say(f"{recipe.name}:{recipe.version}: {line}")
            made.extend(_STEP_IMAGE.findall(line))

        images.build(
            Path(recipe.folder),
            recipe.tag,
            recipe.args,
            tell,
            dockerfile=recipe.dockerfile,
            ca_bundle=workshop.ca_bundle,
            fresh=fresh,
            suite=recipe.base.suite,
            version=recipe.version,
        )

    made: list[str] = []
    _all_at_once(build, missing)
    _forget_stages(workshop.engine, made)
    say(f"{len(missing)} made" if missing else "there already")


def _forget_stages(engine: Engine, made: Sequence[str]) -> None:
    """Images of stages that only lent files would stay for ever: nothing on them says whose they are."""
    for image in reversed(made):
        with suppress(NotFound, Conflict), engine.door(f"remove the stage {image}") as api:
            if not api.inspect_image(image)["RepoTags"]:
                api.remove_image(image)  # refused where another image stands on it


def push(engine: Engine, registry: Registry, recipes: Sequence[Recipe], note: Path, say: Say) -> None:
    """The registry has each image under its version; `note` remembers which. Raises Unavailable."""
    known: dict[str, list[str]] = json.loads(note.read_text()) if note.exists() else {}

    def send(recipe: Recipe) -> tuple[str, list[str]]:
        with engine.stream(f"/images/{recipe.tag}/get", {}, idle=_SAVE_SILENCE) as response:
            digest = saved.push(response.raw, registry, recipe.repository, tag=recipe.version)
        say(f"{recipe.repository}:{recipe.version} {digest}")
        return _noted(recipe), [recipe.key, digest]

    due = [recipe for recipe in recipes if not _is_pushed(registry, recipe, known)]
    known |= dict(_all_at_once(send, due))
    scratch = note.with_suffix(".new")
    scratch.write_text(json.dumps(known, indent=1))
    scratch.replace(note)
    say(f"{len(due)} pushed" if due else "there already")


def _is_pushed(registry: Registry, recipe: Recipe, known: Mapping[str, Sequence[str]]) -> bool:
    key, digest = known.get(_noted(recipe), ("", ""))
    if key != recipe.key:
        return False
    try:
        return registry.digest_of(recipe.repository, recipe.version) == digest
    except NotFound:
        return False


def packages(engine: Engine, tag: str) -> dict[str, str]:
    """Version by name of the Debian packages in an image; nothing where it has none."""
    with engine.door("look into an image") as api:
        container = str(api.create_container(tag, command=["true"])["Id"])
    try:
        with engine.stream(f"/containers/{container}/archive", {"path": _DPKG}) as response:
            entries = archive.read_entries(Chunks(response.iter_content(65536)), _DPKG_LIMITS)
            return _versions(next(body.read() for _, body in entries))
    except NotFound:
        return {}
    finally:
        with engine.door("remove a container") as api:
            api.remove_container(container, force=True, v=True)


def _versions(status: bytes) -> dict[str, str]:
    """Of dpkg's status file: paragraphs of `Field: value`."""
    found = {}
    for paragraph in status.decode("utf-8", "replace").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if "Package" in fields and "Version" in fields:
            found[fields["Package"]] = fields["Version"]
    return found


def _noted(recipe: Recipe) -> str:
    return f"{recipe.repository}:{recipe.version}"


def _all_at_once(do: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="images") as pool:
        return list(pool.map(do, items))
