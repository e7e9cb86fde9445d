from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from paas.actions import apps, build_queue, build_runs, builds, deploys, events, leases, releases
from paas.actions.access import Actor
from paas.actions.builds import Push
from paas.actions.platform import Platform
from paas.actions.pushes import PushTarget, finish
from paas.core.builds import BuildResult, BuildSpec
from paas.db.models import Build, Release
from paas.drivers.memory import MemoryDriver
from paas.errors import BuildFailed, Conflict, LostLease, Unavailable
from paas.jobs import InlineJobs
from paas.ports import JobName, Say
from tests.factories import make_app, make_platform, make_user, simple_build

Check = Callable[[], None]


def push(n: int = 1) -> Push:
    return Push(f"sha256:{n:064x}", "refs/heads/main", f"{n:040x}", "Ada <ada@example.org>", "change")


def drain(platform: Platform) -> None:
    """Run the queued jobs as the workers would."""
    jobs = platform.jobs
    assert isinstance(jobs, InlineJobs)
    while jobs.waiting:
        name, row_id = jobs.waiting.pop(0)
        {JobName.builds_run: build_runs.run, JobName.releases_deploy: deploys.deploy}[name](platform, row_id)


def story(platform: Platform, actor: Actor, target: PushTarget, source: str = "") -> list[str]:
    page = events.page(platform, actor, target.project, target.app, events.Query(source=source))
    numbers = [item.number for item in page.items]
    if not source:
        assert numbers == list(range(1, len(numbers) + 1)), "numbers have a gap"
    return [item.text for item in page.items]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return make_platform(tmp_path)


@pytest.fixture
def actor(platform: Platform) -> Actor:
    return make_user(platform)


def test_push_becomes_a_live_release_and_one_story(platform: Platform, actor: Actor) -> None:
    target = make_app(platform, actor)
    build = builds.start(platform, actor, target, push())
    drain(platform)
    info = apps.get(platform, actor, "shop", "front")
    assert (info.state, info.release) == ("live", "v1")
    assert info.image is not None
    assert info.image.endswith("@" + push().source_digest)
    assert finish(platform, target, build.number).ok
    texts = story(platform, actor, target)
    assert "-----> Building " + push().commit in texts
    assert texts[-1] == "live"
    assert "       web.1 is healthy after 0.0 s" in texts


def test_failing_build_leaves_the_old_release_live(tmp_path: Path) -> None:
    def build(spec: BuildSpec, say: Say, check: Check) -> BuildResult:
        if spec.number == 2:
            say("compiling")
            raise BuildFailed(
                "assemble exited with 1", reason="AssembleFailed", stage="assemble", hint="fix", lines=["x"]
            )
        return simple_build(spec, say, check)

    platform = make_platform(tmp_path, build=build)
    actor = make_user(platform)
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push(1))
    drain(platform)
    number = builds.start(platform, actor, target, push(2)).number
    drain(platform)
    info = builds.get(platform, actor, "shop", "front", number)
    assert (info.state, info.reason, info.stage, info.hint) == ("failed", "AssembleFailed", "assemble", "fix")
    assert apps.get(platform, actor, "shop", "front").release == "v1"
    assert story(platform, actor, target, "build/2")[-5:] == [
        "compiling", "       x", " !     assemble exited with 1", " !     fix", "failed"
    ]  # fmt: skip


def test_unhealthy_release_is_failed_and_removed(platform: Platform, actor: Actor) -> None:
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push(1))
    drain(platform)
    driver = platform.driver()
    assert isinstance(driver, MemoryDriver)
    driver.broken.add(apps.image_reference(platform.settings, target.app_id, push(2).source_digest))
    number = builds.start(platform, actor, target, push(2)).number
    drain(platform)
    assert [(i.release, i.routed) for i in driver.observe(target.app_id)] == [(1, True)]  # type: ignore[arg-type]
    result = finish(platform, target, number)
    assert (result.ok, result.release, result.error) == (False, "v2", "web.1 crashed")
    assert "       boom" in story(platform, actor, target, "release/2")
    assert apps.get(platform, actor, "shop", "front").release == "v1"


def test_running_a_finished_build_again_changes_nothing(platform: Platform, actor: Actor) -> None:
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push())
    drain(platform)
    before = story(platform, actor, target)
    with platform.db.read() as session:
        build_id, release_id = session.scalar(select(Build.id)), session.scalar(select(Release.id))
    assert build_id
    assert release_id
    for _ in range(3):
        build_runs.run(platform, build_id)
        deploys.deploy(platform, release_id)
    assert story(platform, actor, target) == before


def test_builds_of_one_app_run_in_order_and_say_why_they_wait(platform: Platform, actor: Actor) -> None:
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push(1))
    second = builds.start(platform, actor, target, push(2))
    assert second.waiting == "queued behind build 1 of this app"
    with platform.db.read() as session:
        assert build_queue.runnable(platform) == [session.scalar(select(Build.id).where(Build.number == 1))]
    drain(platform)
    assert apps.get(platform, actor, "shop", "front").release == "v2"


def test_queue_is_fair_between_projects(platform: Platform, actor: Actor) -> None:
    for name in ("one", "two", "three"):
        builds.start(platform, actor, make_app(platform, actor, "big", name), push())
    builds.start(platform, actor, make_app(platform, actor, "small", "only"), push())
    with platform.db.read() as session:
        chosen = [session.get_one(Build, i).app_id for i in build_queue.runnable(platform)]
    names = {i.name for i in apps.list_all(platform, actor, None)}
    assert len(chosen) == platform.settings.build_concurrency == 2
    assert names == {"one", "two", "three", "only"}
    assert chosen[1] == make_target_id(platform, actor, "small", "only")


def make_target_id(platform: Platform, actor: Actor, project: str, app: str) -> str:
    from paas.actions.pushes import target

    return target(platform, actor, project, app, write=True).app_id


def lose_worker(platform: Platform) -> str:
    """A build is claimed and its worker dies: the lease runs out."""
    with platform.db.read() as session:
        build_id = session.scalar(select(Build.id).where(Build.state == "queued"))
    assert build_id
    assert build_runs._claim(platform, build_id)
    with platform.db.write() as session:
        session.get_one(Build, build_id).lease_until = platform.now() - timedelta(seconds=1)
    return build_id


def test_lost_worker_is_retried_and_ends_in_one_release(platform: Platform, actor: Actor) -> None:
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push())
    lose_worker(platform)
    build_runs.recover(platform)
    drain(platform)
    assert " !     the worker was lost: trying again (attempt 2 of 3)" in story(platform, actor, target)
    assert [r.version for r in releases.list_all(platform, actor, "shop", "front", None, 50)] == ["v1"]
    assert apps.get(platform, actor, "shop", "front").state == "live"


def test_worker_lost_three_times_fails_the_build(platform: Platform, actor: Actor) -> None:
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push())
    for _ in range(3):
        lose_worker(platform)
        build_runs.recover(platform)
    info = builds.get(platform, actor, "shop", "front", 1)
    assert (info.state, info.reason) == ("failed", "WorkerLost")
    assert finish(platform, target, 1).error == "the worker was lost, 3 times"


def test_paused_worker_that_wakes_changes_nothing(tmp_path: Path) -> None:
    platform = make_platform(tmp_path)
    actor = make_user(platform)
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push())
    with platform.db.read() as session:
        build_id = session.scalar(select(Build.id))
    assert build_id
    claimed = build_runs._claim(platform, build_id)
    assert claimed
    spec, fence = claimed
    stale = leases.Lease(platform, Build, build_id, fence)
    with platform.db.write() as session:
        session.get_one(Build, build_id).lease_until = platform.now() - timedelta(seconds=1)
    build_runs.recover(platform)
    drain(platform)
    before = story(platform, actor, target)
    with pytest.raises(LostLease):
        build_runs._succeed(platform, stale, simple_build(spec, lambda _: None, lambda: None))
    with pytest.raises(LostLease):
        stale.check()
    assert story(platform, actor, target) == before


def test_platform_part_down_puts_the_build_back(tmp_path: Path) -> None:
    calls: list[int] = []

    def build(spec: BuildSpec, say: Say, check: Check) -> BuildResult:
        calls.append(1)
        if len(calls) < 6:
            raise Unavailable("the registry does not answer")
        return simple_build(spec, say, check)

    clock = Clock()
    platform = replace(make_platform(tmp_path, build=build), now=clock.now)
    actor = make_user(platform)
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push())
    drain(platform)
    assert len(calls) == 1
    assert builds.get(platform, actor, "shop", "front", 1).waiting == "the registry does not answer: trying again soon"
    pauses = []
    while len(calls) < 6:
        before = len(calls)
        waited = 0
        while len(calls) == before:
            clock.forward(1)
            waited += 1
            build_runs.recover(platform)
            drain(platform)
        pauses.append(waited)
    assert pauses == [1, 1, 2, 4, 8]
    assert apps.get(platform, actor, "shop", "front").state == "live"
    told = [line for line in story(platform, actor, target) if "does not answer: trying" in line]
    assert told == [" !     the registry does not answer: trying again (attempt 1 of 3)"]


class Clock:
    """A time that goes on when it is told to."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def make_target(platform: Platform, actor: Actor) -> PushTarget:
    from paas.actions.pushes import target

    return target(platform, actor, "shop", "front", write=True)


def test_cancel_of_a_queued_build_ends_it(platform: Platform, actor: Actor) -> None:
    target = make_app(platform, actor)
    builds.start(platform, actor, target, push())
    assert builds.cancel(platform, actor, "shop", "front", 1).state == "cancelled"
    drain(platform)
    assert apps.get(platform, actor, "shop", "front").release is None
    with pytest.raises(Conflict):
        builds.cancel(platform, actor, "shop", "front", 1)


def test_cancel_of_a_running_build_stops_it(tmp_path: Path) -> None:
    def build(spec: BuildSpec, say: Say, check: Check) -> BuildResult:
        builds.cancel(platform, actor, "shop", "front", 1)
        for _ in range(400):
            check()
            threading_wait(0.01)
        raise AssertionError("not cancelled")

    from time import sleep as threading_wait

    platform = make_platform(tmp_path, build=build, lease_seconds=1)
    actor = make_user(platform)
    builds.start(platform, actor, make_app(platform, actor), push())
    drain(platform)
    info = builds.get(platform, actor, "shop", "front", 1)
    assert (info.state, info.reason) == ("cancelled", "CancelledBuild")


def test_newer_release_supersedes_one_that_never_started(platform: Platform, actor: Actor) -> None:
    target = make_app(platform, actor)
    for n in (1, 2):
        builds.start(platform, actor, target, push(n))
        with platform.db.read() as session:
            build_id = session.scalar(select(Build.id).where(Build.number == n))
        assert build_id
        build_runs.run(platform, build_id)
    drain(platform)
    states = {r.version: r.state for r in releases.list_all(platform, actor, "shop", "front", None, 50)}
    assert states == {"v1": "superseded", "v2": "live"}


def test_release_phase_runs_once_per_image_and_its_failure_keeps_the_old(tmp_path: Path) -> None:
    def build(spec: BuildSpec, say: Say, check: Check) -> BuildResult:
        return replace(simple_build(spec, say, check), release_command=("/bin/sh", "-c", "migrate"))

    platform = make_platform(tmp_path, build=build)
    actor = make_user(platform)
    target = make_app(platform, actor)
    driver = platform.driver()
    assert isinstance(driver, MemoryDriver)
    builds.start(platform, actor, target, push(1))
    drain(platform)
    assert [run.command[-1] for run in driver.runs] == ["migrate"]
    driver.exit_code = 7
    builds.start(platform, actor, target, push(2))
    drain(platform)
    assert releases.get(platform, actor, "shop", "front", 2).error == "the release phase exited with 7"
    assert apps.get(platform, actor, "shop", "front").release == "v1"
