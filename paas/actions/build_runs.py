"""Runs builds: claim, build, end. The rows are the queue; Celery only carries ids.

Any call may come twice or die anywhere: a claim is a compare-and-set, every write carries the
fencing number, and `recover` puts back what lost its lease.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from paas.actions import build_inputs, build_queue, events, leases, releases, sources
from paas.actions.builds import record_failure, source
from paas.actions.leases import Cancelled, Lease
from paas.actions.platform import Platform
from paas.actions.stories import Story
from paas.core import builds, queues
from paas.core.builds import MAX_ATTEMPTS, BuildResult, BuildSpec, Event, RunPolicy, State
from paas.db.models import Build
from paas.errors import BuildFailed, Unavailable
from paas.ports import JobName

CANCELLED = BuildFailed("the build was cancelled", reason="CancelledBuild", stage="")


def run(platform: Platform, build_id: str) -> None:
    """Run one build to its end, if it may run now. Safe to call twice, anywhere, any time."""
    claimed = _claim(platform, build_id)
    if claimed is None:
        return
    spec, fence = claimed
    kept = leases.work(
        platform,
        Build,
        build_id,
        fence,
        lambda lease: _run(platform, spec, lease),
        lambda *told: _crash(platform, *told),
    )
    if kept:
        hand_out(platform)


def hand_out(platform: Platform) -> None:
    """Wake workers for what may run now, and tell the others what they wait for."""
    for build_id in build_queue.runnable(platform):
        platform.jobs.enqueue(JobName.builds_run, build_id)
    build_queue.tell(platform)


def _claim(platform: Platform, build_id: str) -> tuple[BuildSpec, int] | None:
    with platform.db.write() as session:
        if build_id not in build_queue.choose(platform, session):
            return None
        build = session.get_one(Build, build_id, options=[joinedload(Build.app)])
        build.state = builds.advance(State(build.state), Event.claim)
        build.attempts += 1
        build.started_at = build.started_at or platform.now()
        return build_inputs.spec(platform, session, build), leases.take(platform, build)


def _run(platform: Platform, spec: BuildSpec, lease: Lease) -> None:
    try:
        with Story(platform, spec.app_id, f"build/{spec.number}", lease.guard) as story:
            found = sources.ensure(platform, spec, lease, story.say)
            result = platform.build(found, story.say, lease.check)
        _succeed(platform, lease, result)
    except BuildFailed as error:
        lines = [f"       {line}" for line in error.facts.get("lines", [])]
        _end(platform, lease, Event.fail, error, lines)
    except Cancelled:
        _end(platform, lease, Event.cancel, CANCELLED)
    except Unavailable as error:
        _put_back(platform, lease, error)


def _succeed(platform: Platform, lease: Lease, result: BuildResult) -> None:
    with platform.db.write() as session:
        build = cast(Build, lease.guard(session))
        if build.is_cancel_requested:
            raise Cancelled
        build.state = builds.advance(State(build.state), Event.succeed)
        build.finished_at, build.lease_until = platform.now(), None
        build.message = ""  # why an earlier try was put back
        build.image, build.builder = result.image, result.builder
        build.ledger = [asdict(note) for note in result.ledger]
        build.stages, build.facts = dict(result.stages), dict(result.facts)
        build.strategy = result.strategy
        release = releases.from_build(platform, session, build, result)
        events.write(session, build.app_id, source(build), ["succeeded"], platform.now(), "end")
    releases.announce(platform, release)


def _end(platform: Platform, lease: Lease, event: Event, error: BuildFailed, lines: list[str] | None = None) -> None:
    """A bad end: nothing of the build goes live."""
    with platform.db.write() as session:
        build = cast(Build, lease.guard(session))
        if build.is_cancel_requested:
            event, error, lines = Event.cancel, CANCELLED, None  # its sandbox was killed: that is why it failed
        record_failure(platform, session, build, event, error, lines or [])
    platform.signals.notify(build.app_id)


def _put_back(platform: Platform, lease: Lease, error: Unavailable) -> None:
    """A part of the platform is down: the build waits its turn again, a bounded number of times."""
    with platform.db.write() as session:
        build = cast(Build, lease.guard(session))
        if platform.now() - build.created_at < timedelta(seconds=platform.settings.build_timeout):
            build.attempts -= 1  # the build itself did nothing wrong
        _retry_or_end(platform, session, build, error.message, "PlatformUnavailable")
    platform.signals.notify(build.app_id)


def _retry_or_end(platform: Platform, session: Session, build: Build, why: str, reason: str) -> None:
    if build.is_cancel_requested:
        record_failure(platform, session, build, Event.cancel, CANCELLED, [])
        return
    newer = _newer(session, build)
    if newer:
        error = BuildFailed(f"{why}, and build {newer} takes its place", reason="CancelledBuild", stage="")
        record_failure(platform, session, build, Event.cancel, error, [])
        return
    if build.attempts >= MAX_ATTEMPTS:
        error = BuildFailed(f"{why}, {build.attempts} times", reason=reason, stage="run", hint="Push again later.")
        record_failure(platform, session, build, Event.fail, error, [])
        return
    now = platform.now()
    build.state = builds.advance(State(build.state), Event.lose)
    build.lease_until = None
    build.fence += 1
    is_lost = reason == "WorkerLost"
    spent = (now - (build.started_at or now)).total_seconds()
    build.not_before = None if is_lost else now + timedelta(seconds=queues.pause(spent))
    if is_lost or build.message != why:  # one line, however often it is tried
        build.message = why
        line = f" !     {why}: trying again (attempt {build.attempts + 1} of {MAX_ATTEMPTS})"
        events.write(session, build.app_id, source(build), [line], now)


def _newer(session: Session, build: Build) -> int | None:
    """SerialLatestOnly: the number of the build that waits behind this one."""
    if build.settings.get("run_policy") != RunPolicy.serial_latest_only:
        return None
    behind = (Build.app_id == build.app_id, Build.state == State.queued, Build.number > build.number)
    return session.scalar(select(Build.number).where(*behind).order_by(Build.number.desc()).limit(1))


def _crash(platform: Platform, lease: Lease, message: str) -> None:
    """End a build whose run raised something unexpected."""
    _end(
        platform,
        lease,
        Event.fail,
        BuildFailed(message, reason="GenericBuildFailed", stage="run", hint="The worker's log says more."),
    )


def recover(platform: Platform) -> None:
    """Put back builds whose worker was lost, and hand out what may run."""
    with platform.db.write() as session:
        lost = select(Build).where(Build.state == State.running, Build.lease_until < platform.now())
        rows = list(session.scalars(lost))
        for build in rows:
            _retry_or_end(platform, session, build, "the worker was lost", "WorkerLost")
    for build in rows:
        platform.signals.notify(build.app_id)
    hand_out(platform)


def sweep(platform: Platform) -> None:
    """Remove sandboxes of builds that no longer run. They are listed before the builds are, or a new one's would go."""
    platform.sandboxes().sweep(lambda: _running(platform))


def _running(platform: Platform) -> frozenset[str]:
    with platform.db.read() as session:
        return frozenset(session.scalars(select(Build.id).where(Build.state == State.running)))
