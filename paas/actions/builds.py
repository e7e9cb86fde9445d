"""Builds as their users see them: start, look, cancel. `build_runs` runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from paas.actions import apps, events
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.actions.pushes import PushTarget
from paas.core import builds
from paas.core.builds import Event, State
from paas.core.permissions import Permission
from paas.db.models import App, Build, Release, User
from paas.errors import BuildFailed, Conflict, NotFound
from paas.ports import JobName


@dataclass(frozen=True)
class Push:
    """What a push of the deploy branch brought."""

    source_digest: str
    ref: str
    commit: str
    author: str
    message: str


@dataclass(frozen=True)
class BuildInfo:
    number: int
    state: str
    trigger: str
    commit: str
    ref: str
    author: str
    message: str
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    waiting: str
    """Why it is still queued."""
    image: str
    builder: str
    ledger: list[Any]
    stages: Mapping[str, int]
    reason: str
    stage: str
    error: str
    hint: str
    release: str | None


def start(platform: Platform, actor: Actor, target: PushTarget, push: Push) -> BuildInfo:
    """Queue a build of a stored source."""
    with platform.db.write() as session:
        app = apps.find(session, actor, Permission.app_deploy, target.project, target.app)
        build = _queue(platform, session, app, actor, push, "push")
        info = _info(session, build)
    _enqueue(platform, build)
    return info


def rebuild(platform: Platform, actor: Actor, project: str, app: str) -> BuildInfo:
    """Build the last source again. Raises Conflict where nothing was ever pushed."""
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_deploy, project, app)
        last = session.scalar(select(Build).where(Build.app_id == row.id).order_by(Build.number.desc()).limit(1))
        if last is None:
            raise Conflict("there is nothing to build yet", hint="Push first: git push paas main")
        push = Push(last.source_digest, last.ref, last.commit, last.commit_author, last.commit_message)
        build = _queue(platform, session, row, actor, push, "manual")
        info = _info(session, build)
    _enqueue(platform, build)
    return info


def _queue(platform: Platform, session: Session, app: App, actor: Actor, push: Push, trigger: str) -> Build:
    app.last_build += 1
    build = Build(
        app_id=app.id,
        number=app.last_build,
        state=State.queued,
        trigger=trigger,
        source_digest=push.source_digest,
        ref=push.ref[:255],
        commit=push.commit,
        commit_author=push.author[:200],
        commit_message=push.message[:500],
        created_by=actor.user_id,
        created_at=platform.now(),
        ledger=[],
        stages={},
        fence=0,
    )
    session.add(build)
    session.flush()
    who = f"Build {build.number} of {push.commit[:8] or 'the last source'} queued by {actor.name}"
    events.write(session, app.id, source(build), [f"-----> {who}"], platform.now())
    waiting = _waiting(session, build)
    if waiting:
        events.write(session, app.id, source(build), [f"       Waiting: {waiting}"], platform.now())
    return build


def source(build: Build) -> str:
    return f"build/{build.number}"


def _enqueue(platform: Platform, build: Build) -> None:
    platform.signals.notify(build.app_id)
    platform.jobs.enqueue(JobName.builds_run, build.id)


def _waiting(session: Session, build: Build) -> str:
    """Why a queued build does not run yet; empty: it may run at once."""
    if build.state != State.queued:
        return ""
    earlier = (Build.app_id == build.app_id, Build.number < build.number)
    number = session.scalar(select(func.min(Build.number)).where(*earlier, Build.state.in_(OPEN)))
    if number:
        return f"build {number} of this app comes first"
    ahead = session.scalar(
        select(func.count(Build.id)).where(Build.state.in_(OPEN), Build.created_at < build.created_at)
    )
    return f"{ahead} builds of other apps are running or queued before it" if ahead else ""


OPEN = (State.queued, State.running)


def cancel(platform: Platform, actor: Actor, project: str, app: str, number: int) -> BuildInfo:
    """Ask for the end of a build. Raises Conflict where it is over."""
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_deploy, project, app)
        build = _find(session, row, number)
        if State(build.state).is_final:
            raise Conflict(f"build {number} is over: {build.state}")
        build.is_cancel_requested = True
        if build.state == State.queued:
            error = BuildFailed("the build was cancelled", reason="CancelledBuild", stage="")
            record_failure(platform, session, build, Event.cancel, error, [])
        return _info(session, build)


def record_failure(
    platform: Platform, session: Session, build: Build, event: Event, error: BuildFailed, lines: list[str]
) -> None:
    """Write a bad end into the row and the story."""
    build.state = builds.advance(State(build.state), event)
    build.finished_at, build.lease_until = platform.now(), None
    build.reason, build.stage, build.message, build.hint = error.reason, error.stage, error.message, error.hint
    told = [*lines, f" !     {error.message}"] + ([f" !     {error.hint}"] if error.hint else [])
    events.write(session, build.app_id, source(build), told, platform.now())
    events.write(session, build.app_id, source(build), [build.state], platform.now(), "end")


def list_all(
    platform: Platform, actor: Actor, project: str, app: str, before: int | None, limit: int
) -> list[BuildInfo]:
    """Newest first."""
    with platform.db.read() as session:
        row = apps.find(session, actor, Permission.app_view, project, app)
        query = select(Build).where(Build.app_id == row.id).order_by(Build.number.desc()).limit(min(limit, 200))
        if before is not None:
            query = query.where(Build.number < before)
        return [_info(session, build) for build in session.scalars(query)]


def get(platform: Platform, actor: Actor, project: str, app: str, number: int) -> BuildInfo:
    with platform.db.read() as session:
        return _info(session, _find(session, apps.find(session, actor, Permission.app_view, project, app), number))


def _find(session: Session, app: App, number: int) -> Build:
    build = session.scalar(select(Build).where(Build.app_id == app.id, Build.number == number))
    if build is None:
        raise NotFound(f"there is no build {number} of {app.name!r}", hint="See `paasctl builds list`.")
    return build


def _info(session: Session, build: Build) -> BuildInfo:
    release = session.scalar(select(Release.number).where(Release.build_id == build.id))
    user = session.get(User, build.created_by) if build.created_by else None
    return BuildInfo(
        number=build.number,
        state=build.state,
        trigger=build.trigger,
        commit=build.commit,
        ref=build.ref,
        author=build.commit_author,
        message=build.commit_message,
        created_by=user.name if user else "",
        created_at=build.created_at,
        started_at=build.started_at,
        finished_at=build.finished_at,
        waiting=_waiting(session, build),
        image=build.image or "",
        builder=build.builder or "",
        ledger=build.ledger,
        stages=build.stages,
        reason=build.reason or "",
        stage=build.stage or "",
        error=build.message or "",
        hint=build.hint or "",
        release=f"v{release}" if release else None,
    )
