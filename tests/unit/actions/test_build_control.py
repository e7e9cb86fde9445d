"""What owners control of their builds: settings, secrets, policies, limits, sources, history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from paas.actions import (
    build_history,
    build_queue,
    build_requests,
    build_runs,
    build_secrets,
    build_settings,
    builds,
    releases,
)
from paas.actions.access import Actor
from paas.actions.build_requests import Wanted
from paas.actions.platform import Platform
from paas.actions.pushes import PushTarget
from paas.bootstrap import build_limits
from paas.core.builds import BuildResult, BuildSpec, RunPolicy, Strategy
from paas.core.sources import GitLocation
from paas.db.models import Build, BuildSecret, ImageTag, Project
from paas.errors import BuildFailed, Conflict, InvalidInput, NotFound, Unavailable
from paas.ports import Say
from tests.factories import make_app, make_platform, make_user, simple_build
from tests.unit.actions.test_builds import drain, push, story

Check = Callable[[], None]


class Watched:
    """Builds simply, and keeps what it was given."""

    def __init__(self) -> None:
        self.specs: list[BuildSpec] = []
        self.fails = False

    def __call__(self, spec: BuildSpec, say: Say, check: Check) -> BuildResult:
        self.specs.append(spec)
        if self.fails:
            raise BuildFailed("no", reason="AssembleFailed", stage="assemble")
        digest = spec.source_digest or f"sha256:{9:064x}"
        return replace(simple_build(replace(spec, source_digest=digest), say, check), facts={"inputs": {"a": "1"}})


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def platform(tmp_path: Path, watched: Watched) -> Platform:
    return make_platform(tmp_path, build=watched)


@pytest.fixture
def actor(platform: Platform) -> Actor:
    return make_user(platform)


@pytest.fixture
def target(platform: Platform, actor: Actor) -> PushTarget:
    return make_app(platform, actor)


def test_build_is_given_settings_secrets_and_the_last_good_build(
    platform: Platform, actor: Actor, target: PushTarget, watched: Watched
) -> None:
    build_settings.update(platform, actor, "shop", "front", {"strategy": "dockerfile", "timeout": "5m"}, [])
    build_secrets.update(platform, actor, "shop", "front", {"TOKEN": "hush hush"}, [])
    builds.start(platform, actor, target, push(1))
    drain(platform)
    builds.rebuild(platform, actor, "shop", "front", no_cache=True)
    drain(platform)
    first, second = watched.specs
    assert (first.settings.strategy, first.settings.timeout) == (Strategy.dockerfile, 300)
    assert first.secrets == {"TOKEN": "hush hush"}
    assert first.previous is None
    assert second.previous is not None
    assert (second.previous.number, second.previous.facts) == (1, {"inputs": {"a": "1"}})
    assert (first.no_cache, second.no_cache) == (False, True)
    info = builds.get(platform, actor, "shop", "front", 2)
    assert (info.trigger, info.trigger_message) == ("manual", "the source of build 1 again")


def test_secret_is_sealed_and_never_shown(platform: Platform, actor: Actor, target: PushTarget) -> None:
    build_secrets.update(platform, actor, "shop", "front", {"TOKEN": "hush hush"}, [])
    with platform.db.read() as session:
        assert b"hush" not in session.scalars(select(BuildSecret.sealed)).one()
    assert "hush" not in repr(build_secrets.list_all(platform, actor, "shop", "front"))
    assert "hush" not in "\n".join(story(platform, actor, target))
    assert build_secrets.update(platform, actor, "shop", "front", {}, ["TOKEN"]) == []
    with pytest.raises(NotFound):
        build_secrets.update(platform, actor, "shop", "front", {}, ["TOKEN"])
    for bad in ("abc", "a\0bcd", "x" * 70_000):
        with pytest.raises(InvalidInput):
            build_secrets.update(platform, actor, "shop", "front", {"T": bad}, [])


def test_limits_are_the_owners_up_to_the_operators(platform: Platform, actor: Actor, target: PushTarget) -> None:
    with pytest.raises(InvalidInput):
        build_settings.update(platform, actor, "shop", "front", {"memory": "100GiB"}, [])
    build_settings.replace(platform, actor, "shop", "front", {"memory": "3GiB"})
    found = build_settings.get(platform, actor, "shop", "front")
    assert (found.changed, found.settings["memory"]) == (["memory"], 3 << 30)
    wanted = replace(builds_settings(platform, target), timeout=60)
    assert (build_limits(platform.settings, wanted).seconds, build_limits(platform.settings, wanted).memory) == (
        60,
        3 << 30,
    )
    lowered = replace(platform.settings, build_memory_max=1 << 30, build_memory=1 << 30)
    assert build_limits(lowered, wanted).memory == 1 << 30  # lowered after it was set


def builds_settings(platform: Platform, target: PushTarget):
    from paas.core import build_settings as core
    from paas.db.models import App

    with platform.db.read() as session:
        return core.load(session.get_one(App, target.app_id).build_settings)


def test_retry_keeps_the_settings_and_from_build_takes_those_of_now(
    platform: Platform, actor: Actor, target: PushTarget, watched: Watched
) -> None:
    watched.fails = True
    build_settings.update(platform, actor, "shop", "front", {"context_dir": "old"}, [])
    builds.start(platform, actor, target, push(1))
    with pytest.raises(Conflict):
        builds.retry(platform, actor, "shop", "front", 1)
    drain(platform)
    watched.fails = False
    build_settings.update(platform, actor, "shop", "front", {"context_dir": "new"}, [])
    builds.start(platform, actor, target, push(2))
    builds.retry(platform, actor, "shop", "front", 1)
    builds.rebuild(platform, actor, "shop", "front", 1)
    drain(platform)
    seen = [(spec.source_digest[-1], spec.settings.context_dir) for spec in watched.specs]
    assert seen == [("1", "old"), ("2", "new"), ("1", "old"), ("1", "new")]


def test_latest_only_cancels_those_that_wait(platform: Platform, actor: Actor, target: PushTarget) -> None:
    build_settings.update(platform, actor, "shop", "front", {"run_policy": RunPolicy.serial_latest_only}, [])
    for n in (1, 2, 3):
        builds.start(platform, actor, target, push(n))
    drain(platform)
    infos = builds.list_all(platform, actor, "shop", "front", None, 10)
    assert [(b.number, b.state) for b in infos] == [(3, "succeeded"), (2, "cancelled"), (1, "cancelled")]
    assert infos[1].error == "build 3 takes its place"


def test_latest_only_gives_up_a_try_that_a_newer_build_waits_for(
    platform: Platform, actor: Actor, target: PushTarget
) -> None:
    build_settings.update(platform, actor, "shop", "front", {"run_policy": RunPolicy.serial_latest_only}, [])
    builds.start(platform, actor, target, push(1))
    with platform.db.read() as session:
        build_id = session.scalars(select(Build.id)).one()
    assert build_runs._claim(platform, build_id)
    builds.start(platform, actor, target, push(2))
    with platform.db.write() as session:
        session.get_one(Build, build_id).lease_until = platform.now() - timedelta(seconds=1)
    build_runs.recover(platform)
    drain(platform)
    infos = builds.list_all(platform, actor, "shop", "front", None, 10)
    assert [b.state for b in infos] == ["succeeded", "cancelled"]
    assert infos[1].error == "the worker was lost, and build 2 takes its place"


def test_parallel_builds_of_one_app_keep_to_its_limit(platform: Platform, actor: Actor, target: PushTarget) -> None:
    platform = replace(platform, settings=replace(platform.settings, build_concurrency=5, builds_per_project=5))
    build_settings.update(platform, actor, "shop", "front", {"run_policy": "Parallel"}, [])
    for n in (1, 2, 3):
        builds.start(platform, actor, target, push(n))
    assert len(build_queue.runnable(platform)) == platform.settings.builds_per_app == 2


def test_waiting_names_builds_of_the_own_project_only(platform: Platform, actor: Actor) -> None:
    for project, app in [("shop", "a"), ("shop", "b"), ("shop", "c"), ("else", "d")]:
        builds.start(platform, actor, make_app(platform, actor, project, app), push())
    for _ in range(2):
        for build_id in build_queue.runnable(platform):
            build_runs._claim(platform, build_id)
    waits = {app: builds.get(platform, actor, "shop", app, 1).waiting for app in "abc"}
    assert waits == {"a": "", "b": "2 of 2 builds of the platform are running; position 1 of 2",
                     "c": "2 of 2 builds of the platform are running; position 2 of 2"}  # fmt: skip
    with platform.db.write() as session:
        session.scalars(select(Project).where(Project.name == "shop")).one().build_limit = 1
    assert (
        builds.get(platform, actor, "shop", "b", 1).waiting
        == "1 of 1 builds of project shop are running: a 1; position 1 of 2"
    )


def test_story_tells_when_the_place_changes(platform: Platform, actor: Actor, target: PushTarget) -> None:
    for n in (1, 2, 3):
        builds.start(platform, actor, target, push(n))
    drain(platform)
    told = [line.strip() for line in story(platform, actor, target, "build/3") if "Waiting" in line]
    assert told == [
        "Waiting: queued behind builds 1, 2 of this app",
        "Waiting: queued behind build 2 of this app",
    ]


@dataclass(frozen=True)
class Fetched:
    digest: str
    commit: str = "c" * 40
    author: str = "Ada <ada@example.org>"
    message: str = "from the forge"


def test_repository_is_fetched_by_the_worker_once_and_its_commit_recorded(
    platform: Platform, actor: Actor, target: PushTarget, watched: Watched
) -> None:
    seen: list[str] = []

    def fetch(spec: BuildSpec, location: GitLocation, store: object, say: Say, check: Check) -> Fetched:
        seen.append(str(location))
        if len(seen) == 1:
            raise Unavailable("no engine")
        return Fetched(f"sha256:{5:064x}")

    platform = replace(platform, fetch_git=fetch)
    wanted = Wanted(git="https://forge.example.org/a.git#main", message="try it")
    info = build_requests.create(platform, actor, "shop", "front", wanted)
    assert (info.source_kind, info.source_location) == ("git", "https://forge.example.org/a.git#main")
    drain(platform)
    late = replace(platform, now=lambda: platform.now() + timedelta(seconds=40))
    build_runs.recover(late)
    drain(late)
    info = builds.get(platform, actor, "shop", "front", 1)
    assert (info.state, info.commit, info.message, info.trigger_message) == (
        "succeeded",
        "c" * 40,
        "from the forge",
        "try it",
    )
    assert watched.specs[0].source_digest == f"sha256:{5:064x}"
    builds.retry(platform, actor, "shop", "front", 1)
    drain(platform)
    assert len(seen) == 2


def test_image_is_built_by_its_strategy(platform: Platform, actor: Actor, target: PushTarget, watched: Watched) -> None:
    build_requests.create(platform, actor, "shop", "front", Wanted(image="nginx:1.27"))
    drain(platform)
    assert watched.specs[0].source_image == "docker.io/library/nginx:1.27"
    assert watched.specs[0].settings.strategy is Strategy.image
    assert builds_settings(platform, target).strategy is Strategy.auto


def test_history_keeps_what_is_asked_and_what_is_needed(
    platform: Platform, actor: Actor, target: PushTarget, watched: Watched
) -> None:
    build_settings.update(platform, actor, "shop", "front", {"keep_succeeded": 2, "keep_failed": 1}, [])
    for n in range(1, 15):
        watched.fails = n in (1, 2)
        builds.start(platform, actor, target, push(n))
        drain(platform)
    with platform.db.write() as session:
        tagged = session.scalars(select(Build.image).where(Build.number == 3)).one()
        session.add(ImageTag(app_id=target.app_id, name="good", image=tagged, created_at=platform.now()))
    build_history.forget(platform)
    left = [info.number for info in builds.list_all(platform, actor, "shop", "front", None, 50)]
    assert left == [14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 3, 2]  # ten releases, a tag, one failed
    assert len(releases.list_all(platform, actor, "shop", "front", None, 50)) == 12
