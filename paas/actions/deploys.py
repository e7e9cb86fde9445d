"""Brings releases to life: claim, release phase, plan, apply step by step, end.

A release that does not get healthy is failed and removed, and the old one serves on. After the router
has switched, the release is live whatever happens to the old instances: `repairs` removes what is left.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from paas.actions import apps, deploy_queue, events, leases, projects, releases
from paas.actions.leases import Lease
from paas.actions.platform import Platform
from paas.actions.stories import Story
from paas.core import releases as core
from paas.core.names import AppId, ProjectId, ReleaseId
from paas.core.processes import HealthCheck
from paas.core.releases import DeploySpec, Event, ProcessSpec, State, Step
from paas.db.models import App, Release
from paas.errors import DeployFailed, LostLease, PaasError, Unavailable
from paas.ports import Driver, RunSpec, Say

log = logging.getLogger(__name__)
RELEASE_PHASE_SECONDS = 1800


def deploy(platform: Platform, release_id: str) -> None:
    """Bring one release to life, if it is its turn. Safe to call twice, anywhere, any time."""
    fence = deploy_queue.claim(platform, release_id)
    if fence is None:
        return
    kept = leases.work(
        platform,
        Release,
        release_id,
        fence,
        lambda lease: _deploy(platform, release_id, lease),
        lambda *told: _crash(platform, *told),
    )
    if kept:
        deploy_queue.hand_out(platform)


def _deploy(platform: Platform, release_id: str, lease: Lease) -> None:
    due = _read(platform, release_id)
    spec = due.spec
    driver = platform.driver()
    try:
        driver.ensure_project(spec.project_id, due.subnet)
        with Story(platform, spec.app_id, f"release/{spec.number}", lease.guard) as story:
            story.say(f"-----> Deploying v{spec.number}")
            for note in due.notes:
                story.say(f"       {note}")
            if due.command:
                _release_phase(platform, lease, due, story.say)
            _apply_all(driver, spec, lease, story.say)
        _succeed(platform, lease)
    except DeployFailed as error:
        left = _abandon(driver, spec, lease)
        _fail(platform, lease, error, left)
    except Unavailable as error:
        _put_back(platform, lease, error)
    platform.signals.notify(spec.app_id)


@dataclass(frozen=True)
class _Due:
    """What is to be deployed."""

    spec: DeploySpec
    subnet: str
    command: tuple[str, ...]
    """The release phase's, where it is due."""
    phase: str
    """How far that is."""
    notes: tuple[str, ...]
    """What is not as the app wished."""


def _read(platform: Platform, release_id: str) -> _Due:
    with platform.db.read() as session:
        release = session.get(Release, release_id)
        if release is None:
            raise LostLease  # its app was removed meanwhile
        app = session.get_one(App, release.app_id, options=[joinedload(App.project)])
        live = apps.current_release(session, app.id)
        is_due = release.trigger != "rollback" and not (live and live.image == release.image)
        return _Due(
            spec_of(platform, app, release),
            projects.subnet(platform.settings, app.project.subnet),
            tuple(release.release_command) if is_due else (),
            release.release_phase,
            tuple(_too_patient(platform, release)),
        )


def _too_patient(platform: Platform, release: Release) -> Iterator[str]:
    most = _longest_check(platform)
    for name, spec in release.processes.items():
        asked = max(spec["check"]["timeout"], spec["check"]["uptime"])
        if asked > most:
            yield f"{name}'s health check asks for {asked} s; the operator allows {most} s"


def _longest_check(platform: Platform) -> int:
    return max(platform.settings.health_timeout_max, platform.settings.health_timeout)


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
        processes=tuple(_process(platform, name, spec) for name, spec in sorted(release.processes.items())),
        hosts=(app.host,),
    )


def _process(platform: Platform, name: str, spec: Mapping[str, Any]) -> ProcessSpec:
    check = HealthCheck(**spec["check"])
    most = _longest_check(platform)
    check = replace(check, timeout=min(check.timeout, most), uptime=min(check.uptime, most))
    return ProcessSpec(name, tuple(spec["command"]), spec["count"], check, routed=name == "web")


def _release_phase(platform: Platform, lease: Lease, due: _Due, say: Say) -> None:
    """Run the Procfile's `release:` once, in the new image with the new config. Raises DeployFailed."""
    spec, command = due.spec, due.command
    if due.phase == "done":
        return
    if due.phase == "running":
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
        release = cast(Release, lease.guard(session))
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
        release = cast(Release, lease.guard(session))
        _supersede_live(session, release)
        release.message = ""  # why an earlier try was put back
        releases.record_end(platform, session, release, Event.succeed, None)


def _supersede_live(session: Session, release: Release) -> None:
    live = select(Release).where(Release.app_id == release.app_id, Release.state == State.live)
    for other in session.scalars(live):
        other.state = core.advance(State(other.state), Event.supersede)
        other.fence += 1  # a paused repair of it changes nothing when it wakes
        other.lease_until = None


def _abandon(driver: Driver, spec: DeploySpec, lease: Lease) -> str:
    """Remove what the failed release started; what kept that from being done, which must not hide why it failed."""
    lease.check()
    try:
        for step in core.abandon(spec.release_id, driver.observe(spec.app_id)):
            driver.apply(spec.app_id, step)
    except LostLease:
        raise
    except PaasError as error:
        log.warning("release %s is not cleared away: %s", spec.release_id, error)
        return error.message
    return ""


def _fail(platform: Platform, lease: Lease, error: DeployFailed, left: str) -> None:
    with platform.db.write() as session:
        release = cast(Release, lease.guard(session))
        lines = [f"       {line}" for line in error.facts.get("lines", [])]
        if left:
            lines.append(f" !     What it started could not be removed yet: {left}")
        events.write(session, release.app_id, releases.source(release), lines, platform.now())
        releases.record_end(platform, session, release, Event.fail, error)


def _put_back(platform: Platform, lease: Lease, error: Unavailable) -> None:
    with platform.db.write() as session:
        release = cast(Release, lease.guard(session))
        deploy_queue.retry_or_fail(platform, session, release, error.message, "PlatformUnavailable")


def _crash(platform: Platform, lease: Lease, message: str) -> None:
    """End a release whose deploy raised something unexpected."""
    error = DeployFailed(message, reason="GenericDeployFailed", stage="deploy", hint="The worker's log says more.")
    with platform.db.write() as session:
        release = cast(Release, lease.guard(session))
        releases.record_end(platform, session, release, Event.fail, error)
    platform.signals.notify(release.app_id)
