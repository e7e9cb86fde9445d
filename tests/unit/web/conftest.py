from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from paas.actions import access, build_runs, builds, deploys, images, projects, rebases
from paas.actions.access import Actor
from paas.actions.builds import Push
from paas.actions.platform import Platform
from paas.actions.pushes import PushTarget
from paas.jobs import InlineJobs
from paas.oci.registry import Registry
from paas.ports import JobName
from paas.web.server import create_server
from tests.factories import make_app, make_platform, make_user

ROLES = ("anonymous", "stranger", "view", "edit", "admin", "platform")
PASSWORD = "correct horse battery"


def drain(platform: Platform) -> None:
    jobs = platform.jobs
    assert isinstance(jobs, InlineJobs)
    while jobs.waiting:
        name, row_id = jobs.waiting.pop(0)
        {JobName.builds_run: build_runs.run, JobName.releases_deploy: deploys.deploy}[name](platform, row_id)


@dataclass
class World:
    """Project `shop` with a live app `front`, and one user per role, named by it."""

    platform: Platform
    server: Flask
    client: FlaskClient
    target: PushTarget
    actors: dict[str, Actor]
    tokens: dict[str, str]

    def call(self, role: str, method: str, path: str, **options: Any) -> TestResponse:
        headers = dict(options.pop("headers", {}))
        if role in self.tokens:
            headers["Authorization"] = f"Bearer {self.tokens[role]}"
        address = path if path.startswith(("/git/", "/api/")) or path == "/" else f"/api/v1{path}"
        return self.client.open(address, method=method, headers=headers, **options)


@pytest.fixture(scope="session")
def _world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = make_platform(tmp_path_factory.mktemp("web"))
    platform = replace(made, registry=Registry("http://127.0.0.1:1", patience=0.0))  # nobody answers there
    admin = make_user(platform, "root-user", is_admin=True)
    actors = {role: make_user(platform, role) for role in ROLES[1:-1]} | {"platform": admin}
    projects.create(platform, actors["stranger"], "other")
    target = make_app(platform, actors["admin"])
    for role in ("view", "edit"):
        access.set_member(platform, actors["admin"], "shop", role, role)
    push = Push(f"sha256:{1:064x}", "refs/heads/main", f"{1:040x}", "Ada <ada@example.org>", "first")
    builds.start(platform, actors["admin"], target, push)
    drain(platform)
    rebases.start(platform, admin, "", "1", 0, is_dry=False)
    images.tag(platform, actors["admin"], "shop", "front", "kept", "v1")
    tokens = {role: access.create_token(platform, actor, "test", None).token for role, actor in actors.items()}
    server = create_server(platform)
    return World(platform, server, server.test_client(), target, actors, tokens)


@pytest.fixture(scope="session")
def _restore(_world: World) -> Callable[[], None]:
    path = Path(_world.platform.settings.database.removeprefix("sqlite:///"))
    kept = sqlite3.connect(":memory:")
    with sqlite3.connect(path) as live:
        live.backup(kept)
    live.close()

    def restore() -> None:
        _world.platform.db.engine.dispose()
        target = sqlite3.connect(path)
        kept.backup(target)
        target.close()

    return restore


@pytest.fixture
def world(_world: World, _restore: Callable[[], None]) -> Iterator[World]:
    """The same state for every test."""
    yield _world
    _restore()
