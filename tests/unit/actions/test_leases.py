"""Work that ends as nobody expected, work whose app is removed meanwhile, and cancels at every moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from paas.actions import apps, build_queue, build_runs, builds, deploy_queue, deploys, projects, releases, repairs
from paas.actions.platform import Platform
from paas.core.builds import BuildResult, BuildSpec
from paas.core.names import AppId, ProjectId
from paas.core.releases import Instance, Step
from paas.db.models import App, Build, Release
from paas.drivers.memory import MemoryDriver
from paas.errors import DeployFailed, NotFound, Unavailable
from paas.ports import Say
from tests.factories import make_app, make_platform, make_user, simple_build
from tests.unit.actions.test_builds import Clock, drain, push, story

Check = Callable[[], None]


def only_build(platform: Platform) -> Build:
    with platform.db.read() as session:
        return session.scalars(select(Build)).one()


def test_unexpected_error_fails_the_build(tmp_path: Path) -> None:
    def build(spec: BuildSpec, say: Say, check: Check) -> BuildResult:
        raise ZeroDivisionError

    platform = make_platform(tmp_path, build=build)
    actor = make_user(platform)
    builds.start(platform, actor, make_app(platform, actor), push())
    drain(platform)
    info = builds.get(platform, actor, "shop", "front", 1)
    assert (info.state, info.reason) == ("failed", "GenericBuildFailed")
    assert "ZeroDivisionError" in info.error


def test_unexpected_error_of_a_worker_that_lost_the_build_ends_nothing(tmp_path: Path) -> None:
    def build(spec: BuildSpec, say: Say, check: Check) -> BuildResult:
        if len(calls) == 0:
            calls.append(1)
            with platform.db.write() as session:
                session.get_one(Build, spec.id).lease_until = platform.now() - timedelta(seconds=1)
            build_runs.recover(platform)
            build_runs.run(platform, spec.id)  # another worker takes it and ends it
            raise ZeroDivisionError
        return simple_build(spec, say, check)

    calls: list[int] = []
    platform = make_platform(tmp_path, build=build)
    actor = make_user(platform)
    builds.start(platform, actor, make_app(platform, actor), push())
    drain(platform)
    assert builds.get(platform, actor, "shop", "front", 1).state == "succeeded"
    assert apps.get(platform, actor, "shop", "front").state == "live"


class Surprising(MemoryDriver):
    """Does something else while it is asked for a step."""

    def __init__(self, at_start: Callable[[], None]) -> None:
        super().__init__()
        self.at_start = at_start

    def apply(self, app_id: AppId, step: Step) -> None:
        super().apply(app_id, step)
        if type(step).__name__ == "Start":
            self.at_start()


def with_driver(platform: Platform, driver: MemoryDriver) -> Platform:
    return replace(platform, driver=lambda: driver)


def test_unexpected_error_fails_the_release(tmp_path: Path) -> None:
    def crash() -> None:
        raise ZeroDivisionError

    platform = with_driver(make_platform(tmp_path), Surprising(crash))
    actor = make_user(platform)
    builds.start(platform, actor, make_app(platform, actor), push())
    drain(platform)
    assert releases.get(platform, actor, "shop", "front", 1).reason == "GenericDeployFailed"


def test_app_that_is_removed_while_it_is_deployed_leaves_nothing(tmp_path: Path) -> None:
    def remove() -> None:
        if not removed:
            removed.append(1)
            apps.delete(platform, actor, "shop", "front")

    removed: list[int] = []
    driver = Surprising(remove)
    platform = with_driver(make_platform(tmp_path), driver)
    actor = make_user(platform)
    builds.start(platform, actor, make_app(platform, actor), push())
    drain(platform)
    repairs.sweep(platform)
    assert driver.apps() == frozenset()
    with pytest.raises(NotFound):
        apps.get(platform, actor, "shop", "front")


def test_app_that_is_being_removed_is_neither_built_nor_deployed(tmp_path: Path) -> None:
    platform = make_platform(tmp_path)
    actor = make_user(platform)
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push())
    with platform.db.write() as session:
        session.get_one(App, target.app_id).is_deleting = True
    assert build_queue.runnable(platform) == []
    build_runs.run(platform, only_build(platform).id)
    assert only_build(platform).state == "queued"
    apps.finish_deletes(platform)
    with platform.db.read() as session:
        assert session.get(App, target.app_id) is None


def test_sweep_removes_only_what_has_no_row(tmp_path: Path) -> None:
    platform = make_platform(tmp_path)
    actor = make_user(platform)
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push())
    drain(platform)
    driver = platform.driver()
    assert isinstance(driver, MemoryDriver)
    driver.instances[AppId("gone")] = {"x": Instance("x", "web", 1, "k", 1, running=True)}
    driver.ensure_project(ProjectId("left"), "10.0.0.0/24")
    repairs.sweep(platform)
    assert driver.apps() == {target.app_id}
    assert driver.projects() == {target.project_id}


def test_project_is_gone_though_the_engine_is_away(tmp_path: Path) -> None:
    class Away(MemoryDriver):
        def destroy_project(self, project_id: ProjectId) -> None:
            raise Unavailable("no engine")

    platform = with_driver(make_platform(tmp_path), Away())
    actor = make_user(platform)
    projects.create(platform, actor, "shop")
    with pytest.raises(Unavailable):
        projects.delete(platform, actor, "shop")
    assert projects.list_all(platform, actor) == []


def test_cancel_in_the_last_moment_makes_no_release(tmp_path: Path) -> None:
    def build(spec: BuildSpec, say: Say, check: Check) -> BuildResult:
        result = simple_build(spec, say, check)
        builds.cancel(platform, actor, "shop", "front", 1)
        return result

    platform = make_platform(tmp_path, build=build)
    actor = make_user(platform)
    builds.start(platform, actor, make_app(platform, actor), push())
    drain(platform)
    assert builds.get(platform, actor, "shop", "front", 1).state == "cancelled"
    assert apps.get(platform, actor, "shop", "front").release is None


def test_cancelled_build_whose_worker_is_lost_is_cancelled(tmp_path: Path) -> None:
    platform = make_platform(tmp_path)
    actor = make_user(platform)
    builds.start(platform, actor, make_app(platform, actor), push())
    build_id = only_build(platform).id
    assert build_runs._claim(platform, build_id)
    builds.cancel(platform, actor, "shop", "front", 1)
    with platform.db.write() as session:
        session.get_one(Build, build_id).lease_until = platform.now() - timedelta(seconds=1)
    build_runs.recover(platform)
    drain(platform)
    assert only_build(platform).state == "cancelled"


def test_cancel_reaches_a_running_build_within_two_seconds_whatever_the_lease(tmp_path: Path) -> None:
    def build(spec: BuildSpec, say: Say, check: Check) -> BuildResult:
        builds.cancel(platform, actor, "shop", "front", 1)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            check()
            time.sleep(0.02)
        raise AssertionError("not cancelled")

    platform = make_platform(tmp_path, build=build, lease_seconds=60)
    actor = make_user(platform)
    builds.start(platform, actor, make_app(platform, actor), push())
    drain(platform)
    assert only_build(platform).state == "cancelled"


def test_clearing_away_that_fails_does_not_hide_why_the_release_failed(tmp_path: Path) -> None:
    class Broken(MemoryDriver):
        is_away = True

        def apply(self, app_id: AppId, step: Step) -> None:
            if type(step).__name__ == "Stop" and self.is_away:
                raise Unavailable("the engine restarts")
            if type(step).__name__ == "AwaitHealthy":
                raise DeployFailed("web.1 crashed", reason="crashed", stage="health")
            super().apply(app_id, step)

    driver = Broken()
    platform = with_driver(make_platform(tmp_path), driver)
    actor = make_user(platform)
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push())
    drain(platform)
    assert releases.get(platform, actor, "shop", "front", 1).error == "web.1 crashed"
    assert any("the engine restarts" in line for line in story(platform, actor, target, "release/1"))
    assert driver.observe(AppId(target.app_id))
    driver.is_away = False
    repairs.sweep(platform)
    assert not driver.observe(AppId(target.app_id))


def test_engine_that_is_away_costs_a_release_no_attempt(tmp_path: Path) -> None:
    class Away(MemoryDriver):
        tries = 0

        def ensure_project(self, project_id: ProjectId, subnet: str) -> None:
            self.tries += 1
            if self.tries < 6:
                raise Unavailable("no engine")
            super().ensure_project(project_id, subnet)

    clock, driver = Clock(), Away()
    platform = replace(with_driver(make_platform(tmp_path), driver), now=clock.now)
    actor = make_user(platform)
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push())
    drain(platform)
    assert driver.tries == 1
    for _ in range(40):
        clock.forward(1)
        deploy_queue.recover(platform)
        drain(platform)
    assert apps.get(platform, actor, "shop", "front").state == "live"
    assert len([line for line in story(platform, actor, target) if "no engine" in line]) == 1


def test_deploys_keep_to_their_limits_and_are_fair(tmp_path: Path) -> None:
    platform = make_platform(tmp_path, deploy_concurrency=3, deploys_per_project=2)
    actor = make_user(platform)
    for project, app in [("big", "one"), ("big", "two"), ("big", "three"), ("small", "only")]:
        builds.start(platform, actor, make_app(platform, actor, project, app), push())
    for _ in range(4):
        for build_id in build_queue.runnable(platform):
            build_runs.run(platform, build_id)
    chosen = deploy_queue.pending(platform)
    with platform.db.read() as session:
        projects_ = [session.get_one(App, session.get_one(Release, i).app_id).project_id for i in chosen]
    assert len(chosen) == 3
    assert len(set(projects_)) == 2
    for release_id in chosen:
        assert deploy_queue.claim(platform, release_id)
    assert deploy_queue.pending(platform) == []
    drain(platform)


def test_health_check_cannot_ask_for_more_time_than_the_operator_gives(tmp_path: Path) -> None:
    from paas.core.processes import HealthCheck

    def build(spec: BuildSpec, say: Say, check: Check) -> BuildResult:
        return replace(simple_build(spec, say, check), health={"web": HealthCheck(timeout=3600)})

    platform = make_platform(tmp_path, build=build, health_timeout_max=100)
    actor = make_user(platform)
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push())
    drain(platform)
    told = "       web's health check asks for 3600 s; the operator allows 100 s"
    assert told in story(platform, actor, target, "release/1")
    driver = platform.driver()
    assert isinstance(driver, MemoryDriver)
    waits = [step.process.check.timeout for step in driver.applied if type(step).__name__ == "AwaitHealthy"]  # type: ignore[union-attr]
    assert waits == [100]


def test_one_app_that_cannot_be_repaired_does_not_stop_the_others(tmp_path: Path) -> None:
    class Partly(MemoryDriver):
        bad = AppId("")

        def observe(self, app_id: AppId) -> tuple[Instance, ...]:
            if app_id == self.bad:
                raise KeyError("odd")
            return super().observe(app_id)

    driver = Partly()
    platform = with_driver(make_platform(tmp_path), driver)
    actor = make_user(platform)
    targets = [make_app(platform, actor, "shop", name) for name in ("one", "two", "three")]
    for target in targets:
        builds.start(platform, actor, target, push())
    drain(platform)
    driver.bad = AppId(targets[0].app_id)
    for target in targets[1:]:
        driver.instances[AppId(target.app_id)] = {}
    repairs.repair_all(platform)
    assert all(driver.instances[AppId(target.app_id)] for target in targets[1:])
    deploys.deploy(platform, "no such release")
