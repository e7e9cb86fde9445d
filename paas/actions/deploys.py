"""Brings releases to life: claim, release phase, plan, apply step by step, end.

A release that does not get healthy is failed and removed, and the old one serves on. After the router
has switched, the release is live whatever happens to the old instances: `repairs` removes what is left.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from paas.actions import apps, events, leases, projects, releases
from paas.actions.events import Story
from paas.actions.leases import Lease
from paas.actions.platform import Platform
from paas.core import builds
from paas.core import releases as core
from paas.core.names import AppId, ProjectId, ReleaseId
from paas.core.processes import HealthCheck
from paas.core.releases import DeploySpec, Event, ProcessSpec, State, Step
from paas.db.models import App, Release
from paas.errors import DeployFailed, LostLease, PaasError, Unavailable
from paas.ports import Driver, JobName, RunSpec, Say

RELEASE_PHASE_SECONDS = 1800
MAX_ATTEMPTS = builds.MAX_ATTEMPTS


def deploy(platform: Platform, release_id: str) -> None:
    """Bring one release to life, if it is its turn. Safe to call twice, anywhere, any time."""
    fence = _claim(platform, release_id)
    if fence is None:
        return
    with leases.hold(platform, Release, release_id, fence) as lease:
        try:
            app_id = _deploy(platform, release_id, lease)
        except LostLease:
            return  # somebody else has it: change nothing
    platform.signals.notify(app_id)
    for following in pending(platform, app_id):
        platform.jobs.enqueue(JobName.releases_deploy, following)


def pending(platform: Platform, app_id: str | None = None) -> list[str]:
    """Ids of the newest pending release of each app."""
    with platform.db.read() as session:
        query = select(Release.app_id, Release.id).where(Release.state == State.pending).order_by(Release.number)
        if app_id:
            query = query.where(Release.app_id == app_id)
        return list(dict(session.execute(query).all()).values())


def _claim(platform: Platform, release_id: str) -> int | None:
    """One at a time per app, the newest first: it supersedes older pending ones, since it holds all they held."""
    now = platform.now()
    with platform.db.write() as session:
        release = session.get(Release, release_id)
        if release is None or release.state != State.pending:
            return None
        busy = select(Release.id).where(Release.app_id == release.app_id, Release.lease_until >= now)
        newer = select(Release.id).where(
            Release.app_id == release.app_id, Release.state == State.pending, Release.number > release.number
        )
        live = apps.current_release(session, release.app_id)
        if live and live.number > release.number:
            releases.record_end(platform, session, release, Event.supersede, None)
            return None
        if session.scalar(busy.limit(1)) or session.scalar(newer.limit(1)):
            return None
        older = Release.state == State.pending, Release.app_id == release.app_id, Release.number < release.number
        for other in session.scalars(select(Release).where(*older)):
            events.write(session, other.app_id, releases.source(other), [f"       v{release.number} is newer"], now)
            releases.record_end(platform, session, other, Event.supersede, None)
        release.state = core.advance(State(release.state), Event.claim)
        release.attempts += 1
        return leases.take(platform, release)


def _deploy(platform: Platform, release_id: str, lease: Lease) -> str:
    spec, command, phase = _read(platform, release_id)
    driver = platform.driver()
    try:
        with Story(platform, spec.app_id, f"release/{spec.number}", lease.guard) as story:
            story.say(f"-----> Deploying v{spec.number}")
            if command:
                _release_phase(platform, lease, spec, tuple(command), phase, story.say)
            _apply_all(driver, spec, lease, story.say)
        _succeed(platform, lease)
    except DeployFailed as error:
        _abandon(driver, spec, lease)
        _fail(platform, lease, error)
    except Unavailable as error:
        _put_back(platform, lease, error)
    return spec.app_id


def _read(platform: Platform, release_id: str) -> tuple[DeploySpec, list[str], str]:
    """The spec, the release phase's command where it is due, and how far that phase is."""
    with platform.db.read() as session:
        release = session.get_one(Release, release_id)
        app = session.get_one(App, release.app_id, options=[joinedload(App.project)])
        platform.driver().ensure_project(
            ProjectId(app.project_id), projects.subnet(platform.settings, app.project.subnet)
        )
        live = apps.current_release(session, app.id)
        is_due = release.trigger != "rollback" and not (live and live.image == release.image)
        return spec_of(platform, app, release), release.release_command if is_due else [], release.release_phase


def spec_of(platform: Platform, app: App, release: Release) -> DeploySpec:
    """The row as a value for the driver."""
    return DeploySpec(
        app_id=AppId(app.id),
        project_id=ProjectId(app.project_id),
        release_id=ReleaseId(release.id),
        number=release.number,
        app=app.name,
        project=app.project.name,
        image=apps.image_reference(platform.settings, app.id, release.image),
        env=releases.config_of(platform, release),
        processes=tuple(_process(name, spec) for name, spec in sorted(release.processes.items())),
        hosts=(app.host,),
    )


def _process(name: str, spec: Mapping[str, Any]) -> ProcessSpec:
    return ProcessSpec(name, tuple(spec["command"]), spec["count"], HealthCheck(**spec["check"]), routed=name == "web")


def _release_phase(
    platform: Platform, lease: Lease, spec: DeploySpec, command: tuple[str, ...], phase: str, say: Say
) -> None:
    """Run the Procfile's `release:` once, in the new image with the new config. Raises DeployFailed."""
    if phase == "done":
        return
    if phase == "running":
        raise DeployFailed(
            "the release phase was cut off by a lost worker, and is not run twice by itself",
            reason="ReleasePhaseInterrupted",
            stage="release",
            hint="Check what it did, then push again or `paasctl builds start`.",
        )
    _mark_phase(platform, lease, "running")
    say(f"-----> Release phase: {command[-1]}")
    code = platform.driver().run(
        run_spec(spec, f"{spec.release_id}-release", command), lambda line: say(f"       {line}")
    )
    if code:
        raise DeployFailed(
            f"the release phase exited with {code}",
            reason="ReleasePhaseFailed",
            stage="release",
            hint="The old release serves on. Its output is above.",
        )
    _mark_phase(platform, lease, "done")


def run_spec(spec: DeploySpec, run_id: str, command: tuple[str, ...]) -> RunSpec:
    """A one-off process with the release's image and config."""
    return RunSpec(
        id=run_id,
        app_id=spec.app_id,
        project_id=spec.project_id,
        app=spec.app,
        project=spec.project,
        image=spec.image,
        command=command,
        env=spec.env,
        timeout=RELEASE_PHASE_SECONDS,
    )


def _mark_phase(platform: Platform, lease: Lease, phase: str) -> None:
    with platform.db.write() as session:
        release = lease.guard(session)
        assert isinstance(release, Release)
        release.release_phase = phase


def _apply_all(driver: Driver, spec: DeploySpec, lease: Lease, say: Say) -> None:
    """All steps of the plan. Until the router has switched, a failing step fails the release."""
    switched = False
    for step in core.plan(spec, driver.observe(spec.app_id)):
        lease.check()
        started = time.monotonic()
        try:
            driver.apply(spec.app_id, step)
        except PaasError as error:
            if not switched:
                raise
            say(f" !     {error.message}")
            continue
        switched = switched or isinstance(step, core.Route)
        line = _told(step, time.monotonic() - started)
        if line:
            say(f"       {line}")


def _told(step: Step, seconds: float) -> str:
    match step:
        case core.Start(process=process, index=index):
            return f"Started {process.type}.{index}"
        case core.AwaitHealthy(name=name):
            return f"{name} is healthy after {seconds:.1f} s"
        case core.Route(instance_ids=ids):
            return f"Requests go to {len(ids)} {'instance' if len(ids) == 1 else 'instances'}"
        case core.Stop(name=name):
            return f"Stopped old {name}"
        case core.Drain():
            return f"Old requests finished after {seconds:.1f} s" if seconds > 1 else ""


def _succeed(platform: Platform, lease: Lease) -> None:
    with platform.db.write() as session:
        release = lease.guard(session)
        assert isinstance(release, Release)
        _supersede_live(session, release)
        releases.record_end(platform, session, release, Event.succeed, None)


def _supersede_live(session: Session, release: Release) -> None:
    live = select(Release).where(Release.app_id == release.app_id, Release.state == State.live)
    for other in session.scalars(live):
        other.state = core.advance(State(other.state), Event.supersede)
        other.fence += 1  # a paused repair of it changes nothing when it wakes
        other.lease_until = None


def _abandon(driver: Driver, spec: DeploySpec, lease: Lease) -> None:
    """Remove what the failed release started."""
    lease.check()
    for step in core.abandon(spec.release_id, driver.observe(spec.app_id)):
        driver.apply(spec.app_id, step)


def _fail(platform: Platform, lease: Lease, error: DeployFailed) -> None:
    with platform.db.write() as session:
        release = lease.guard(session)
        assert isinstance(release, Release)
        lines = [f"       {line}" for line in error.facts.get("lines", [])]
        events.write(session, release.app_id, releases.source(release), lines, platform.now())
        releases.record_end(platform, session, release, Event.fail, error)


def _put_back(platform: Platform, lease: Lease, error: Unavailable) -> None:
    with platform.db.write() as session:
        release = lease.guard(session)
        assert isinstance(release, Release)
        _retry_or_fail(platform, session, release, error.message, "PlatformUnavailable")


def _retry_or_fail(platform: Platform, session: Session, release: Release, why: str, reason: str) -> None:
    if release.attempts >= MAX_ATTEMPTS:
        failed = DeployFailed(
            f"{why}, {release.attempts} times", reason=reason, stage="deploy", hint="Deploy again later."
        )
        releases.record_end(platform, session, release, Event.fail, failed)
        return
    release.state = core.advance(State(release.state), Event.lose)
    release.lease_until = None
    release.fence += 1
    line = f" !     {why}: trying again (attempt {release.attempts + 1} of {MAX_ATTEMPTS})"
    events.write(session, release.app_id, releases.source(release), [line], platform.now())


def crash(platform: Platform, release_id: str, message: str) -> None:
    """End a release whose deploy raised something unexpected; called by the worker's boundary."""
    with platform.db.write() as session:
        release = session.get(Release, release_id)
        if release is None or release.state != State.deploying:
            return
        error = DeployFailed(message, reason="GenericDeployFailed", stage="deploy", hint="The worker's log says more.")
        releases.record_end(platform, session, release, Event.fail, error)
    platform.signals.notify(release.app_id)


def recover(platform: Platform) -> None:
    """Put back releases whose worker was lost, and hand out what is pending."""
    with platform.db.write() as session:
        lost = select(Release).where(Release.state == State.deploying, Release.lease_until < platform.now())
        rows = list(session.scalars(lost))
        for release in rows:
            _retry_or_fail(platform, session, release, "the worker was lost", "WorkerLost")
    for release in rows:
        platform.signals.notify(release.app_id)
    for release_id in pending(platform):
        platform.jobs.enqueue(JobName.releases_deploy, release_id)
