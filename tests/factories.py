"""Plain functions that make test objects with defaults; real parts wherever they need no network."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from paas.actions import access, apps, projects
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.actions.pushes import PushTarget, target
from paas.core.builders import BuilderInfo, Package, Updated, VersionInfo
from paas.core.builds import BuildResult, BuildSpec
from paas.core.processes import HealthCheck
from paas.core.rebases import Rebased
from paas.core.releases import DeploySpec, ProcessSpec
from paas.db import migrations
from paas.db.session import Database
from paas.drivers.memory import MemoryDriver
from paas.jobs import InlineJobs
from paas.oci.registry import Registry
from paas.ports import Sandbox, Say
from paas.settings import Settings
from paas.signals import MemorySignals
from paas.vault import FileVault, create_key


class NoSandboxes:
    """For platforms whose builds need none."""

    def open(self, image: str, limits: object, *, build_id: str) -> Sandbox:
        raise AssertionError("no sandbox is expected here")

    def sweep(self, running: Callable[[], frozenset[str]]) -> int:
        return 0


class OneBuilder:
    """A platform's builders where no image is made."""

    def list_all(self) -> list[BuilderInfo]:
        version = VersionInfo("3.13", "trixie", True, True, "sha256:1", "sha256:2", None)
        return [BuilderInfo("python", "Python", ["requirements.txt"], [".python-version"], [version])]

    def usage(self, name: str, version: str) -> str:
        return f"how to use {name}"

    def update(self, name: str, version: str, say: Say) -> Updated:
        say("making it")
        return Updated(f"{name}:{version or '3.13'}", "sha256:2", "sha256:3", [Package("openssl", "3.0", "3.1")])


def simple_rebase(app_id: str, image: str) -> Rebased:
    """An image whose base has changed once."""
    new = image if image.endswith("-2") else f"{image}-2"
    return Rebased(new, "sha256:1" if new != image else "sha256:2", "sha256:2")


def simple_build(spec: BuildSpec, say: Say, check: Callable[[], None]) -> BuildResult:
    """An image named after the source."""
    check()
    say(f"-----> Building {spec.commit}")
    digest = "sha256:" + spec.source_digest.removeprefix("sha256:")
    return BuildResult(digest, "python", {"web": ("/bin/sh", "-c", "serve"), "worker": ("/bin/sh", "-c", "work")})


def fresh_database() -> str:
    """A new one on the server that PAAS_TEST_POSTGRESQL names; empty: SQLite in the state folder."""
    server = os.environ.get("PAAS_TEST_POSTGRESQL", "")
    if not server:
        return ""
    name = f"test_{secrets.token_hex(6)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def make_platform(folder: Path, *, build: Callable[..., BuildResult] = simple_build, **changes: object) -> Platform:
    settings = Settings(state=folder, **{"database_url": fresh_database(), **changes})  # type: ignore[arg-type]
    for name in ("run", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    migrations.upgrade(settings.database)
    create_key(folder / "keys" / "vault.key")
    driver = MemoryDriver()
    return Platform(
        settings=settings,
        db=Database(settings.database),
        jobs=InlineJobs(),
        registry=Registry("http://127.0.0.1:1"),
        signals=MemorySignals(),
        vault=FileVault(folder / "keys" / "vault.key"),
        build=build,
        driver=lambda: driver,
        sandboxes=NoSandboxes,
        builders=OneBuilder,
        rebase=simple_rebase,
        now=lambda: datetime.now(UTC),
    )


def make_user(platform: Platform, name: str = "ada", *, is_admin: bool = False) -> Actor:
    access.add_user(platform, name, "correct horse battery", is_admin)
    return access.login(platform, name, "correct horse battery")


def make_app(platform: Platform, actor: Actor, project: str = "shop", name: str = "front") -> PushTarget:
    if project not in {p.name for p in projects.list_all(platform, actor)}:
        projects.create(platform, actor, project)
    apps.create(platform, actor, project, name, "", "main")
    return target(platform, actor, project, name, write=True)


def make_spec(number: int = 1, *, web: int = 1, worker: int = 0, image: str = "", **env: str) -> DeploySpec:
    check = HealthCheck()
    return DeploySpec(
        app_id="a" * 32,  # type: ignore[arg-type]
        project_id="b" * 32,  # type: ignore[arg-type]
        release_id=f"{number:032x}",  # type: ignore[arg-type]
        number=number,
        app="front",
        project="shop",
        image=image or f"registry/apps/a@sha256:{number:064x}",
        env=env,
        processes=(
            ProcessSpec("web", ("serve",), web, check, routed=True),
            ProcessSpec("worker", ("work",), worker, HealthCheck("up"), routed=False),
        ),
        hosts=("front-shop.apps.localhost",),
    )
