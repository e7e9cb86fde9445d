"""The platform's own settings: read once from the environment, frozen, passed as an argument.

The only module that reads `os.environ`. Every setting has a default that runs on one machine
and is documented in docs/operators/settings.md (a test compares the two).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from paas.errors import InvalidInput

MIB = 1024 * 1024


def _setting(default: object, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Settings:
    """One field per `PAAS_<NAME>` variable; sizes in bytes, times in seconds."""

    state: Path = _setting(Path("/var/lib/paas"), "Folder of everything the platform keeps")
    bind: str = _setting("127.0.0.1", "Address the router listens on")
    port: int = _setting(7480, "Port of the router: API, git and apps")
    registry_port: int = _setting(7481, "Port of the built-in registry, on loopback")
    domain: str = _setting("apps.localhost", "Apps answer at APP-PROJECT.DOMAIN")
    api_host: str = _setting("paas.localhost", "Host name of the API and of git")
    database_url: str = _setting("", "SQLAlchemy URL (`postgresql+psycopg://...`); empty: SQLite in the state folder")
    redis_url: str = _setting("", "Redis URL; empty: own Redis on a unix socket in the state folder")
    docker_host: str = _setting("unix:///var/run/docker.sock", "Address of the Docker Engine")
    network_pool: str = _setting("10.201.0.0/16", "Each project's network is a /24 of this range")
    base_image: str = _setting("", "Public base of the builders (debian:trixie-slim); empty: make one with mmdebstrap")
    builders: Path = _setting(Path(__file__).parent.parent / "builders", "Folder of the builders")
    buildpacks: Path = _setting(Path(__file__).parent.parent / "buildpacks", "Folder of the platform's buildpacks")
    ready_builders: str = _setting(
        "python nodejs static",
        "Builders that `make up` makes, NAME or NAME:VERSION or all; others are made when first used",
    )
    trusted_ca: Path = _setting(Path("/etc/ssl/certs/ca-certificates.crt"), "CA bundle given to every sandbox")
    http_proxy: str = _setting("", "Proxy of the sandboxes for http")
    https_proxy: str = _setting("", "Proxy of the sandboxes for https")
    no_proxy: str = _setting("", "Hosts the sandboxes reach without the proxy")
    pip_index_url: str = _setting("", "Python package index of the sandboxes")
    npm_registry: str = _setting("", "npm registry of the sandboxes")
    build_concurrency: int = _setting(2, "Builds that run at the same time")
    builds_per_project: int = _setting(2, "Builds of one project at the same time, where it has no limit of its own")
    builds_per_app: int = _setting(2, "Builds of one app at the same time, where its run policy is Parallel")
    builds_kept: int = _setting(20, "Succeeded and failed builds that stay in an app's history, of each")
    deploy_concurrency: int = _setting(4, "Releases that are deployed at the same time")
    deploys_per_project: int = _setting(2, "Releases of one project that are deployed at the same time")
    build_timeout: int = _setting(1200, "Seconds after which a build is stopped")
    build_memory: int = _setting(2048 * MIB, "Memory of a sandbox, in bytes")
    build_cpus: int = _setting(2, "CPUs of a sandbox")
    build_processes: int = _setting(1024, "Processes and threads of a sandbox")
    build_disk: int = _setting(10240 * MIB, "What a sandbox may write, in bytes")
    build_timeout_max: int = _setting(7200, "Most seconds that an app's owner may give its builds")
    build_memory_max: int = _setting(4096 * MIB, "Most memory that an app's owner may give its builds, in bytes")
    build_cpus_max: int = _setting(4, "Most CPUs that an app's owner may give its builds")
    build_disk_max: int = _setting(20480 * MIB, "Most that an app's owner may let its builds write, in bytes")
    git_hosts: str = _setting("", "Own forges: hosts (or HOST:PORT) that builds may fetch from at private addresses")
    dockerfile_builds: str = _setting("on", "on or off: whether sources may be built by their own Dockerfile")
    image_registries: str = _setting(
        "docker.io quay.io ghcr.io registry.access.redhat.com", "Registries that images may be imported from"
    )
    image_bytes: int = _setting(8192 * MIB, "Largest image that is imported, compressed, in bytes")
    source_bytes: int = _setting(512 * MIB, "Largest source, unpacked, in bytes")
    source_entries: int = _setting(100_000, "Most files and folders of a source")
    push_bytes: int = _setting(512 * MIB, "Largest pack a push may send, in bytes")
    instance_memory: int = _setting(512 * MIB, "Memory of an instance, in bytes")
    instance_processes: int = _setting(512, "Processes and threads of an instance")
    health_timeout: int = _setting(60, "Seconds a new instance has to become healthy")
    health_timeout_max: int = _setting(600, "Most seconds that an app's own health check may ask for")
    drain_timeout: int = _setting(30, "Seconds an old instance has to finish its requests")
    dependency_max_age: int = _setting(7 * 86400, "Seconds after which unpinned dependencies are resolved anew")
    gc_interval: int = _setting(86400, "Seconds between two garbage collections, at least 3600")
    gc_grace: int = _setting(3600, "Seconds for which garbage collection leaves everything new alone")
    lease_seconds: int = _setting(15, "Seconds without a heartbeat after which work is taken over")
    event_days: int = _setting(14, "Days an app's log lines are kept")
    log_rate: int = _setting(500, "Lines a second of an app's instances that are kept; ten times that in a burst")

    @property
    def run_folder(self) -> Path:
        """Sockets and pid files."""
        return self.state / "run"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.state / 'paas.db'}"

    @property
    def redis(self) -> str:
        return self.redis_url or f"unix://{self.run_folder / 'redis.sock'}"

    @property
    def broker(self) -> str:
        """The same Redis, as Celery spells it."""
        return self.redis.replace("unix://", "redis+socket://")

    @property
    def registry_url(self) -> str:
        return f"http://127.0.0.1:{self.registry_port}"

    @property
    def registry_host(self) -> str:
        """The registry as image references name it."""
        return f"127.0.0.1:{self.registry_port}"

    @property
    def api_url(self) -> str:
        return f"http://{self.api_host}:{self.port}"

    @property
    def repositories(self) -> Path:
        return self.state / "git"

    def app_host(self, project: str, app: str) -> str:
        return f"{app}-{project}.{self.domain}"

    def app_url(self, project: str, app: str) -> str:
        return f"http://{self.app_host(project, app)}:{self.port}"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `PAAS_*` variables. Raises InvalidInput naming the variable."""
    environ = os.environ if environ is None else environ  # noqa: TID251 - the one reader
    values: dict[str, Any] = {}
    for entry in fields(Settings):
        name = f"PAAS_{entry.name.upper()}"
        if name in environ:
            values[entry.name] = _parse(name, environ[name], type(entry.default))
    settings = Settings(**values)
    _check(settings)
    return settings


def _parse(name: str, text: str, kind: Any) -> Any:
    try:
        return Path(text).absolute() if issubclass(kind, Path) else kind(text)
    except ValueError:
        raise InvalidInput(f"{name}={text!r} is not a number", field=name, hint="Give a whole number.") from None


def _check(settings: Settings) -> None:
    try:
        pool = ipaddress.ip_network(settings.network_pool)
    except ValueError as error:
        raise InvalidInput(f"PAAS_NETWORK_POOL: {error}", field="PAAS_NETWORK_POOL") from None
    if pool.prefixlen > 24:
        raise InvalidInput("PAAS_NETWORK_POOL must hold at least one /24", field="PAAS_NETWORK_POOL")
    if settings.dockerfile_builds not in ("on", "off"):
        raise InvalidInput("PAAS_DOCKERFILE_BUILDS is on or off", field="PAAS_DOCKERFILE_BUILDS")
    for name in ("port", "registry_port"):
        if not 0 < getattr(settings, name) < 65536:
            raise InvalidInput(f"PAAS_{name.upper()} is not a port", field=f"PAAS_{name.upper()}")
