"""The base image and the builders' images: made where they are missing, and put into the registry.

An image's tag is the digest of all that it is made from, so what is there is right, and two installations on one
engine share it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from paas import programs
from paas.bootstrap import token_source
from paas.builder import catalog
from paas.builder.bases import TAG
from paas.drivers.docker import locks
from paas.drivers.docker.client import Engine
from paas.drivers.docker.images import CA_FILE, Images, remove_everything
from paas.errors import Conflict, NotFound, Unavailable
from paas.oci import saved
from paas.oci.registry import Registry
from paas.settings import Settings

SUITE = "trixie"
BASE_OPTIONS = (
    "--variant=minbase",
    "--include=ca-certificates",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=Dir::Cache::pkgcache ""',
    '--aptopt=Dir::Cache::srcpkgcache ""',
)
"""Argued in builders/debian/README.md."""
RUN_DOCKERFILE = "run/Dockerfile"
PUSHED = "pushed-images.json"
_AT_ONCE = 3
_STEP_IMAGE = re.compile(r"^ ---> ([0-9a-f]{12})$")
_BASE_SECONDS = 900.0
_SAVE_SILENCE = 300.0
_ALONE_SECONDS = 1200.0

Say = Callable[[str], None]
Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Recipe:
    """One image of one builder."""

    repository: str
    folder: Path
    dockerfile: str
    key: str

    @property
    def name(self) -> str:
        """The image's repository on the engine."""
        return f"paas/{self.repository.removeprefix('builders/')}"

    @property
    def tag(self) -> str:
        return f"{self.name}:{self.key}"


def alone(settings: Settings) -> AbstractContextManager[None]:
    """Nobody else on this machine makes or removes images meanwhile: installations share them by their tag."""
    run = Path("/run")
    folder = run if os.access(run, os.W_OK) else settings.run_folder
    return locks.held(folder / "paas-images.lock", timeout=_ALONE_SECONDS)


def base_tag(settings: Settings) -> str:
    """The image that all builders stand on."""
    own = f"paas/debian:{SUITE}-{_digest([SUITE, *BASE_OPTIONS])}"
    return settings.base_image or own


def recipes(settings: Settings) -> list[Recipe]:
    """All images of all builders, the largest first."""
    args = json.dumps(build_args(settings), sort_keys=True)
    found = []
    for builder in catalog.load(settings.builders).values():
        folder = settings.builders / builder.name
        for repository, dockerfile in ((builder.repository, "Dockerfile"), (builder.run_repository, RUN_DOCKERFILE)):
            if (folder / dockerfile).is_file():
                key = _digest([args, dockerfile, *_contents(folder)])
                found.append(Recipe(repository, folder, dockerfile, key))
    return sorted(found, key=lambda recipe: recipe.dockerfile == RUN_DOCKERFILE)


def build_args(settings: Settings) -> dict[str, str]:
    args = {
        "BASE_IMAGE": base_tag(settings),
        "PIP_INDEX_URL": settings.pip_index_url,
        "NPM_CONFIG_REGISTRY": settings.npm_registry,
        "HTTP_PROXY": settings.http_proxy,
        "HTTPS_PROXY": settings.https_proxy,
        "NO_PROXY": settings.no_proxy,
    }
    args |= {name.lower(): value for name, value in args.items() if name.endswith("_PROXY")}
    return {name: value for name, value in args.items() if value}


def make_base(settings: Settings, images: Images, say: Say) -> None:
    """Debian from its packages, where it is missing and no public image was named. Raises Unavailable."""
    tag = base_tag(settings)
    if settings.base_image or images.exists(tag):
        say("there already")
        return
    tar = settings.state / "tmp" / "base.tar"
    names = {"http_proxy": settings.http_proxy, "https_proxy": settings.https_proxy, "no_proxy": settings.no_proxy}
    proxies = {name: value for name, value in names.items() if value}
    try:
        done = programs.run(
            ["mmdebstrap", "--quiet", *BASE_OPTIONS, SUITE, str(tar)],
            cwd=tar.parent,
            env={"TMPDIR": str(tar.parent), **proxies},
            timeout=_BASE_SECONDS,
        )
        if done.code:
            told = done.stderr.decode("utf-8", "replace").strip()[-500:]
            raise Unavailable(f"mmdebstrap could not make the base image: {told}", hint="Is a Debian mirror reachable?")
        images.import_base(tag, tar)
        say(tag)
    finally:
        tar.unlink(missing_ok=True)


def make_builders(settings: Settings, engine: Engine, images: Images, say: Say) -> None:
    """Every builder's images, some at the same time. Raises BuildFailed, Unavailable."""
    missing = [recipe for recipe in recipes(settings) if not images.exists(recipe.tag)]
    bundle = settings.trusted_ca.read_bytes() if settings.trusted_ca.is_file() else b""
    args = build_args(settings)

    def make(recipe: Recipe) -> None:
        def tell(line: str) -> None:
            say(f"{recipe.name}: {line}")
            made.extend(_STEP_IMAGE.findall(line))

        images.build(recipe.folder, recipe.tag, args, tell, dockerfile=recipe.dockerfile, ca_bundle=bundle)

    made: list[str] = []
    _all_at_once(make, missing)
    _forget_stages(engine, made)
    say(f"{len(missing)} made" if missing else "there already")


def _forget_stages(engine: Engine, made: Sequence[str]) -> None:
    """Images of stages that only lent files would stay for ever: nothing on them says whose they are."""
    for image in reversed(made):
        with suppress(NotFound, Conflict), engine.door(f"remove the stage {image}") as api:
            if not api.inspect_image(image)["RepoTags"]:
                api.remove_image(image)  # refused where another image stands on it


def push_builders(settings: Settings, engine: Engine, say: Say) -> None:
    """The registry has each image under the tag that builds ask for. Raises Unavailable."""
    note = settings.state / PUSHED
    known: dict[str, list[str]] = json.loads(note.read_text()) if note.exists() else {}

    def push(recipe: Recipe) -> tuple[str, list[str]]:
        with engine.stream(f"/images/{recipe.tag}/get", {}, idle=_SAVE_SILENCE) as response:
            digest = saved.push(response.raw, registry, recipe.repository, tag=TAG)
        say(f"{recipe.repository} {digest}")
        return recipe.repository, [recipe.key, digest]

    with Registry(settings.registry_url, token_source(settings)) as registry:
        due = [recipe for recipe in recipes(settings) if not _is_pushed(registry, recipe, known)]
        known |= dict(_all_at_once(push, due))
    note.write_text(json.dumps(known, indent=1))
    say(f"{len(due)} pushed" if due else "there already")


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


def _is_pushed(registry: Registry, recipe: Recipe, known: Mapping[str, Sequence[str]]) -> bool:
    key, digest = known.get(recipe.repository, ("", ""))
    if key != recipe.key:
        return False
    try:
        return registry.digest_of(recipe.repository, TAG) == digest
    except NotFound:
        return False


def _all_at_once(do: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="images") as pool:
        return list(pool.map(do, items))


def _names(image: Mapping[str, list[str] | None], head: str) -> list[str]:
    names = [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]
    return [name for name in names if name.startswith(head)]


def _contents(folder: Path) -> list[str]:
    """Every file of a builder by name, mode and digest; its documentation and test app make no image."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or name.parts[0] == "test" or "__pycache__" in name.parts:
            continue
        if name.name != CA_FILE and name.suffix != ".md":
            is_program = bool(path.stat().st_mode & 0o100)
            found.append(f"{name} {is_program} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return found


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
