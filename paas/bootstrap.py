"""The composition root: the one module that knows every adapter and turns settings into a platform.

What a process may never need (the engine, the builder, Celery) is imported when it is first needed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from paas.actions import build_settings, sources
from paas.actions.platform import EngineImages, FetchGit, GitSource, Platform, Rebase
from paas.core.builds import BuildResult, BuildSettings, BuildSpec, Limits
from paas.core.rebases import Rebased
from paas.core.sources import GitLocation
from paas.db.session import Database
from paas.errors import NotFound
from paas.jobs import CeleryJobs
from paas.oci import tokens
from paas.oci.archive import Limits as ArchiveLimits
from paas.oci.registry import Registry
from paas.oci.streams import Readable
from paas.oci.tokens import Scope
from paas.ports import Driver, Sandboxes, SandboxSettings, Say
from paas.settings import MIB, Settings
from paas.signals import RedisSignals
from paas.vault import FileVault

if TYPE_CHECKING:
    from paas.drivers.docker.client import Engine
    from paas.drivers.docker.imports import DockerImports
    from paas.drivers.docker.router import Router
    from paas.oci.digests import Digest
    from paas.workshop import Builders

KEYS, VAULT_KEY, INSTALLATION = "keys", "vault.key", "installation"
ISSUER, AUDIENCE = "paas", "paas-registry"
INDEXES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "NPM_CONFIG_REGISTRY")
"""Another index may give other packages: part of a dependency layer's key."""
GIT_BUILDER = "python"
"""Its build image has git."""
CHANGES = ArchiveLimits(max_bytes=16 * 1024 * MIB, max_entries=2_000_000)
"""Of what a build may add to an image."""


def build_platform(settings: Settings) -> Platform:
    """The platform of this process. Raises NotFound, InvalidInput where `paas up` has not run."""
    token = token_source(settings)
    registry = Registry(settings.registry_url, token)
    open_driver = functools.cache(lambda: _driver(settings, token))
    open_sandboxes = functools.cache(lambda: _sandboxes(settings, token))
    open_builders = functools.cache(lambda: _builders(settings, registry, open_sandboxes))
    open_imports = functools.cache(lambda: _imports(settings, registry, token))
    return Platform(
        settings=settings,
        db=Database(settings.database),
        jobs=CeleryJobs(settings.broker),
        registry=registry,
        signals=RedisSignals(settings.redis),
        vault=FileVault(settings.state / KEYS / VAULT_KEY),
        build=_builder(settings, registry, open_sandboxes, open_imports, open_builders),
        builders=open_builders,
        rebase=_rebase(registry),
        engine_images=functools.cache(lambda: _engine_images(settings)),
        driver=open_driver,
        sandboxes=open_sandboxes,
        fetch_git=_git_fetcher(settings, registry, open_sandboxes, open_builders),
        now=lambda: datetime.now(UTC),
    )


def installation(settings: Settings) -> str:
    """Which installation this is: several may share one engine."""
    path = settings.state / INSTALLATION
    if not path.exists():
        raise NotFound(f"there is no platform in {settings.state}", hint="Make one with `make up`.")
    return path.read_text().strip()


def token_source(settings: Settings) -> Callable[[Sequence[Scope]], str]:
    """Mints the registry tokens: only for the scopes asked, for a minute."""
    key = tokens.load_key(settings.state / KEYS)

    def mint(scopes: Sequence[Scope]) -> str:
        return tokens.mint(key, issuer=ISSUER, audience=AUDIENCE, scopes=scopes, now=datetime.now(UTC))

    return mint


def registry_auth(token: Callable[[Sequence[Scope]], str]) -> Callable[[str], Mapping[str, str]]:
    """Credentials with which the engine may pull one repository."""
    return lambda repository: {"registrytoken": token([Scope(repository, ("pull",))])}


def engine(settings: Settings) -> Engine:
    from paas.drivers.docker.client import Engine

    return Engine(settings.docker_host)


def router(settings: Settings) -> Router:
    from paas.drivers.docker.router import Router

    return Router(
        settings.state / "router",
        bind=settings.bind,
        port=settings.port,
        api_host=settings.api_host,
        web_socket=settings.run_folder / "web.sock",
        stats_socket=settings.run_folder / "haproxy.sock",
        master_socket=settings.run_folder / "haproxy-master.sock",
    )


def _driver(settings: Settings, token: Callable[[Sequence[Scope]], str]) -> Driver:
    from paas.drivers.docker.driver import DockerDriver

    return DockerDriver(
        engine(settings),
        installation=installation(settings),
        router=router(settings),
        registry_auth=registry_auth(token),
        lock_folder=_folder(settings, "locks"),
        instance_memory=settings.instance_memory,
        instance_processes=settings.instance_processes,
        health_timeout=settings.health_timeout,
        drain_timeout=settings.drain_timeout,
    )


def _sandboxes(settings: Settings, token: Callable[[Sequence[Scope]], str]) -> Sandboxes:
    from paas.drivers.docker.networks import Networks
    from paas.drivers.docker.sandbox import DockerSandboxes

    opened, name = engine(settings), installation(settings)
    return DockerSandboxes(
        opened,
        installation=name,
        settings=sandbox_settings(settings),
        registry_auth=registry_auth(token),
        networks=Networks(opened, name, _folder(settings, "locks")),
        archive_limits=CHANGES,
    )


def _imports(settings: Settings, registry: Registry, token: Callable[[Sequence[Scope]], str]) -> DockerImports:
    from paas.drivers.docker.imports import DockerImports

    return DockerImports(
        engine(settings),
        registry,
        host=settings.registry_host,
        auth=registry_auth(token),
        allowed=settings.image_registries.split(),
    )


def _import_image(
    opened: DockerImports, settings: Settings, spec: BuildSpec, say: Say, check: Callable[[], None]
) -> Callable[[str], tuple[str, Digest]]:
    """The way in for images of one build: into its project, which may read its own, its app's and the builders'."""
    from paas.builder import messages
    from paas.drivers.docker.imports import Wish

    own = f"projects/{spec.project_id}/"

    def bring(reference: str) -> tuple[str, Digest]:
        say(messages.importing(reference))
        wish = Wish(
            reference,
            f"{own}images",
            readable=(own, "builders/", f"apps/{spec.app_id}"),
            seconds=settings.build_timeout,
            max_bytes=settings.image_bytes,
        )
        return opened.bring(wish, lambda line: say(messages.detail(line)), check)

    return bring


def _folder(settings: Settings, name: str) -> Path:
    path = settings.run_folder / name
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def sandbox_settings(settings: Settings) -> SandboxSettings:
    """The operator's CA bundle, proxies and package indexes, as the usual tools read them."""
    chosen = {
        "HTTP_PROXY": settings.http_proxy,
        "HTTPS_PROXY": settings.https_proxy,
        "NO_PROXY": settings.no_proxy,
        "PIP_INDEX_URL": settings.pip_index_url,
        "UV_DEFAULT_INDEX": settings.pip_index_url,
        "NPM_CONFIG_REGISTRY": settings.npm_registry,
    }
    chosen |= {name.lower(): value for name, value in chosen.items() if name.endswith("_PROXY")}
    bundle = settings.trusted_ca.read_bytes() if settings.trusted_ca.is_file() else b""
    return SandboxSettings({name: value for name, value in chosen.items() if value}, bundle)


def build_limits(settings: Settings, wanted: BuildSettings) -> Limits:
    """Of one build: what its app's owner set, up to the operator's maxima of now, else the operator's defaults."""
    most = build_settings.maxima(settings)
    return Limits(
        seconds=min(wanted.timeout or settings.build_timeout, most.timeout),
        memory=min(wanted.memory or settings.build_memory, most.memory),
        cpus=min(wanted.cpus or settings.build_cpus, most.cpus),
        processes=settings.build_processes,
        disk=min(wanted.disk or settings.build_disk, most.disk),
    )


def _engine_images(settings: Settings) -> EngineImages:
    from paas.drivers.docker.leftovers import PulledImages

    return PulledImages(engine(settings), settings.registry_host)


def _rebase(registry: Registry) -> Rebase:
    def rebase(app_id: str, image: str) -> Rebased:
        from paas.builder import rebase

        return rebase.rebase(registry, f"apps/{app_id}", image)

    return rebase


def _builders(settings: Settings, registry: Registry, sandboxes: Callable[[], Sandboxes]) -> Builders:
    from paas.workshop import Builders

    limits = build_limits(settings, BuildSettings())
    return Builders(settings, engine(settings), installation(settings), registry, sandboxes, limits)


def _git_fetcher(
    settings: Settings, registry: Registry, sandboxes: Callable[[], Sandboxes], builders: Callable[[], Builders]
) -> FetchGit:
    has_proxy = bool(settings.http_proxy or settings.https_proxy)

    def fetch(
        spec: BuildSpec,
        location: GitLocation,
        store: Callable[[Readable], str],
        say: Say,
        check: Callable[[], None],
    ) -> GitSource:
        from paas.builder import bases, catalog, git_source

        builder = catalog.load(settings.builders)[GIT_BUILDER]
        if not bases.is_made(registry, builder):
            say(f"-----> Making builder {GIT_BUILDER} (first use): it has git")
            builders().make(builder, lambda line: say(f"       {line}"))
        base = bases.resolve(registry, builder).build
        image = f"{settings.registry_host}/{base.repository}@{base.digest}"
        limits = build_limits(settings, spec.settings)
        tools = git_source.GitTools(sandboxes(), image, limits, settings.git_hosts.split(), has_proxy, check)
        return git_source.fetch(spec.id, location, tools, store, say)

    return fetch


def _builder(
    settings: Settings,
    registry: Registry,
    sandboxes: Callable[[], Sandboxes],
    imports: Callable[[], DockerImports],
    builders: Callable[[], Builders],
) -> Callable[[BuildSpec, Say, Callable[[], None]], BuildResult]:
    given = sandbox_settings(settings).env

    def build(spec: BuildSpec, say: Say, check: Callable[[], None]) -> BuildResult:
        from paas.builder import catalog, pipeline

        tools = pipeline.Tools(
            registry=registry,
            registry_host=settings.registry_host,
            sandboxes=sandboxes(),
            catalog=catalog.load(settings.builders),
            buildpacks=settings.buildpacks,
            limits=build_limits(settings, spec.settings),
            source_limits=sources.limits(settings),
            check=check,
            dependency_max_age=settings.dependency_max_age,
            now=datetime.now(UTC),
            index_settings={name: value for name, value in given.items() if name in INDEXES},
            dockerfile_builds=settings.dockerfile_builds == "on",
            import_image=_import_image(imports(), settings, spec, say, check),
            make_builder=builders().make,
        )
        return pipeline.build(spec, tools, say)

    return build
