"""Makes the builders' images of this installation: recipes from their folders, work on the engine."""

from __future__ import annotations

from collections.abc import Callable

from paas.builder import recipes as read
from paas.builder.catalog import Builder, Version
from paas.core.recipes import Recipe
from paas.drivers.docker import builders
from paas.drivers.docker.builders import Workshop
from paas.drivers.docker.client import Engine
from paas.oci.registry import Registry
from paas.ports import Say
from paas.settings import Settings

PUSHED = "pushed-images.json"
"""In the state folder: which of the builders' images the registry has."""


def recipes(settings: Settings, builder: Builder, version: Version) -> list[Recipe]:
    """Of the images of one version of a builder."""
    proxies = _proxies(settings)
    given = {
        "PIP_INDEX_URL": settings.pip_index_url,
        "NPM_CONFIG_REGISTRY": settings.npm_registry,
        **{name.upper(): value for name, value in proxies.items()},
        **proxies,
    }
    args = {name: value for name, value in given.items() if value}
    return read.of(builder, version, settings.builders / builder.name, args, public_base=settings.base_image)


def place(settings: Settings, engine: Engine, owner: str) -> Workshop:
    """Where images are made; `owner`: the installation whose they are."""
    bundle = settings.trusted_ca.read_bytes() if settings.trusted_ca.is_file() else b""
    return Workshop(engine, owner, settings.run_folder, settings.state / "tmp", _proxies(settings), bundle)


def maker(settings: Settings, engine: Engine, owner: str, registry: Registry) -> Callable[[Builder, Say], None]:
    """Makes the images of a builder that is used for the first time."""

    def make(builder: Builder, say: Say) -> None:
        wanted, workshop = recipes(settings, builder, builder.named(builder.version)), place(settings, engine, owner)
        with builders.alone(settings.run_folder):
            builders.make_bases(workshop, wanted, say)
            builders.make(workshop, wanted, say)
            builders.push(engine, registry, wanted, settings.state / PUSHED, say)

    return make


def _proxies(settings: Settings) -> dict[str, str]:
    known = {"http_proxy": settings.http_proxy, "https_proxy": settings.https_proxy, "no_proxy": settings.no_proxy}
    return {name: value for name, value in known.items() if value}
