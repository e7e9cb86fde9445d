"""Runs builds: claim, build, end. The rows are the queue; Celery only carries ids.

Any call may come twice or die anywhere: a claim is a compare-and-set, every write carries the
fencing number, and `recover` puts back what lost its lease.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from paas.actions import events, leases, releases
from paas.actions.builds import OPEN, record_failure, source
from paas.actions.events import Story
from paas.actions.leases import Cancelled, Lease
from paas.actions.platform import Platform
from paas.core import builds
from paas.core.builds import MAX_ATTEMPTS, BuildResult, BuildSpec, Event, State
from paas.core.names import AppId, BuildId, ProjectId
from paas.db.models import App, Build
from paas.errors import BuildFailed, LostLease, Unavailable
from paas.ports import JobName


def runnable(platform: Platform) -> list[str]:
    """Ids of the queued builds that may run now: one per app, fair between projects, up to the limit."""
    with platform.db.read() as session:
        return _runnable(platform, session)


def _runnable(platform: Platform, session: Session) -> list[str]:
    query = select(Build.id, Build.app_id, Build.state, App.project_id).join(App).where(Build.state.in_(OPEN))
    rows = session.execute(query.order_by(Build.created_at, Build.number)).all()
    busy_apps = {row.app_id for row in rows if row.state == State.running}
    busy: dict[str, int] = {}
    for row in rows:
        busy[row.project_id] = busy.get(row.project_id, 0) + (row.state == State.running)
    free = platform.settings.build_concurrency - len(busy_apps)
    chosen: list[str] = []
    waiting = [row for row in rows if row.state == State.queued]
    while waiting and len(chosen) < free:
        waiting = [row for row in waiting if row.app_id not in busy_apps]
        if not waiting:
            break
        best = min(waiting, key=lambda row: busy[row.project_id])  # min keeps the order of age
        chosen.append(best.id)
        busy_apps.add(best.app_id)
        busy[best.project_id] += 1
    return chosen


def run(platform: Platform, build_id: str) -> None:
    """Run one build to its end, if it may run now. Safe to call twice, anywhere, any time."""
    claimed = _claim(platform, build_id)
    if claimed is None:
        return
    spec, fence = claimed
    with leases.hold(platform, Build, build_id, fence) as lease:
        try:
            _run(platform, spec, lease)
        except LostLease:
            return  # somebody else has it: change nothing
    for following in runnable(platform):
        platform.jobs.enqueue(JobName.builds_run, following)


def _claim(platform: Platform, build_id: str) -> tuple[BuildSpec, int] | None:
    with platform.db.write() as session:
        if build_id not in _runnable(platform, session):
            return None
        build = session.get(Build, build_id, options=[joinedload(Build.app)])
        assert build is not None
        build.state = builds.advance(State(build.state), Event.claim)
        build.attempts += 1
        build.started_at = platform.now()
        return _spec(build), leases.take(platform, build)


def _spec(build: Build) -> BuildSpec:
    return BuildSpec(
        id=BuildId(build.id),
        number=build.number,
        app_id=AppId(build.app_id),
        project_id=ProjectId(build.app.project_id),
        app=build.app.name,
        source_digest=build.source_digest,
        commit=build.commit,
        ref=build.ref,
        builder=build.app.builder,
        author=build.commit_author,
        message=build.commit_message,
    )


def _run(platform: Platform, spec: BuildSpec, lease: Lease) -> None:
    try:
        with Story(platform, spec.app_id, f"build/{spec.number}", lease.guard) as story:
            result = platform.build(spec, story.say, lease.check)
        _succeed(platform, lease, result)
    except BuildFailed as error:
        lines = [f"       {line}" for line in error.facts.get("lines", [])]
        _end(platform, lease, Event.fail, error, lines)
    except Cancelled:
        _end(platform, lease, Event.cancel, BuildFailed("the build was cancelled", reason="CancelledBuild", stage=""))
    except Unavailable as error:
        _put_back(platform, lease, error)


def _succeed(platform: Platform, lease: Lease, result: BuildResult) -> None:
    with platform.db.write() as session:
        build = lease.guard(session)
        assert isinstance(build, Build)
        build.state = builds.advance(State(build.state), Event.succeed)
        build.finished_at, build.lease_until = platform.now(), None
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
        build = lease.guard(session)
        assert isinstance(build, Build)
        record_failure(platform, session, build, event, error, lines or [])
    platform.signals.notify(build.app_id)


def _put_back(platform: Platform, lease: Lease, error: Unavailable) -> None:
    """A part of the platform is down: the build waits its turn again, a bounded number of times."""
    with platform.db.write() as session:
        build = lease.guard(session)
        assert isinstance(build, Build)
        if platform.now() - build.created_at < timedelta(seconds=platform.settings.build_timeout):
            build.attempts -= 1  # the build itself did nothing wrong
        _retry_or_fail(platform, session, build, error.message, "PlatformUnavailable")
    platform.signals.notify(build.app_id)


def _retry_or_fail(platform: Platform, session: Session, build: Build, why: str, reason: str) -> None:
    if build.attempts >= MAX_ATTEMPTS:
        error = BuildFailed(f"{why}, {build.attempts} times", reason=reason, stage="run", hint="Push again later.")
        record_failure(platform, session, build, Event.fail, error, [])
        return
    build.state = builds.advance(State(build.state), Event.lose)
    build.lease_until = None
    build.fence += 1
    line = f" !     {why}: trying again (attempt {build.attempts + 1} of {MAX_ATTEMPTS})"
    events.write(session, build.app_id, source(build), [line], platform.now())


def crash(platform: Platform, build_id: str, message: str) -> None:
    """End a build whose run raised something unexpected; called by the worker's boundary."""
    with platform.db.write() as session:
        build = session.get(Build, build_id)
        if build is None or build.state != State.running:
            return
        error = BuildFailed(message, reason="GenericBuildFailed", stage="run", hint="The worker's log says more.")
        record_failure(platform, session, build, Event.fail, error, [])
    platform.signals.notify(build.app_id)


def recover(platform: Platform) -> None:
    """Put back builds whose worker was lost, sweep their sandboxes, and hand out what may run."""
    with platform.db.write() as session:
        lost = select(Build).where(Build.state == State.running, Build.lease_until < platform.now())
        rows = list(session.scalars(lost))
        for build in rows:
            _retry_or_fail(platform, session, build, "the worker was lost", "WorkerLost")
        running = frozenset(session.scalars(select(Build.id).where(Build.state == State.running)))
    if rows:
        platform.sandboxes().sweep(running)
    for build in rows:
        platform.signals.notify(build.app_id)
    for build_id in runnable(platform):
        platform.jobs.enqueue(JobName.builds_run, build_id)
