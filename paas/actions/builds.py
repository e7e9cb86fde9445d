"""Builds as their users see them: start, look, cancel. `build_runs` runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from paas.actions import apps, build_queue, events
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.actions.pushes import PushTarget
from paas.core import builds
from paas.core.builds import Event, RunPolicy, State, Strategy
from paas.core.permissions import Permission
from paas.db.models import App, Build, Release, User
from paas.errors import BuildFailed, Conflict, NotFound
from paas.ports import JobName


@dataclass(frozen=True)
class Push:
    """The source of a build: what a push of the deploy branch brought, or where else it comes from."""

    source_digest: str
    ref: str = ""
    commit: str = ""
    author: str = ""
    message: str = ""
    kind: str = "push"
    """push, directory, git, image"""
    location: str = ""
    """A repository's URL or an image's reference, without credentials."""


@dataclass(frozen=True)
class Cause:
    """Why it is built, and how."""

    trigger: str = "push"
    """push, config, builder, webhook, manual"""
    message: str = ""
    no_cache: bool = False
    settings: Mapping[str, Any] | None = None
    """Of an earlier build; None: the app's present ones."""


@dataclass(frozen=True)
class BuildInfo:
    number: int
    state: str
    trigger: str
    trigger_message: str
    source_kind: str
    source_location: str
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
    strategy: str
    settings: Mapping[str, Any]
    no_cache: bool
    ledger: list[Any]
    stages: Mapping[str, int]
    reason: str
    stage: str
    error: str
    hint: str
    release: str | None


def start(platform: Platform, actor: Actor, target: PushTarget, push: Push, cause: Cause | None = None) -> BuildInfo:
    """Queue a build of a stored source, or of one that the worker fetches."""
    with platform.db.write() as session:
        app = apps.find(session, actor, Permission.app_deploy, target.project, target.app)
        build = queue(platform, session, app, actor.user_id, push, cause or Cause())
        info = info_of(platform, session, build)
    announce(platform, build)
    return info


def rebuild(
    platform: Platform, actor: Actor, project: str, app: str, number: int | None = None, *, no_cache: bool = False
) -> BuildInfo:
    """Build a source again, by default the last one, with the app's present settings. Raises Conflict, NotFound."""
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_deploy, project, app)
        origin = _find(session, row, number) if number else _last(session, row)
        message = f"the source of build {origin.number} again"
        build = queue(platform, session, row, actor.user_id, _push(origin), Cause("manual", message, no_cache))
        info = info_of(platform, session, build)
    announce(platform, build)
    return info


def retry(platform: Platform, actor: Actor, project: str, app: str, number: int) -> BuildInfo:
    """The same once more: source and settings of an ended build. Raises Conflict while it goes on."""
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_deploy, project, app)
        origin = _find(session, row, number)
        if not State(origin.state).is_final:
            raise Conflict(f"build {number} is {origin.state}", hint="Wait for its end, or cancel it first.")
        cause = Cause("manual", f"retry of build {number}", origin.no_cache, origin.settings)
        build = queue(platform, session, row, actor.user_id, _push(origin), cause)
        info = info_of(platform, session, build)
    announce(platform, build)
    return info


def _last(session: Session, app: App) -> Build:
    last = session.scalar(select(Build).where(Build.app_id == app.id).order_by(Build.number.desc()).limit(1))
    if last is None:
        raise Conflict("there is nothing to build yet", hint="Push first: git push paas main")
    return last


def _push(origin: Build) -> Push:
    return Push(
        origin.source_digest,
        origin.ref,
        origin.commit,
        origin.commit_author,
        origin.commit_message,
        origin.source_kind,
        origin.source_location,
    )


def queue(platform: Platform, session: Session, app: App, created_by: str | None, push: Push, cause: Cause) -> Build:
    """A queued build, in the caller's transaction; `announce` it after the commit."""
    app.last_build += 1
    settings = dict(app.build_settings if cause.settings is None else cause.settings)
    if push.kind == "image":
        settings["strategy"] = Strategy.image
    build = Build(
        app_id=app.id,
        number=app.last_build,
        state=State.queued,
        trigger=cause.trigger,
        trigger_message=cause.message[:300],
        source_kind=push.kind,
        source_location=push.location,
        source_digest=push.source_digest,
        settings=settings,
        no_cache=cause.no_cache,
        ref=push.ref[:255],
        commit=push.commit,
        commit_author=push.author[:200],
        commit_message=push.message[:500],
        created_by=created_by,
        created_at=platform.now(),
        ledger=[],
        stages={},
        facts={},
        fence=0,
    )
    session.add(build)
    session.flush()
    _tell_queued(platform, session, build)
    if settings.get("run_policy") == RunPolicy.serial_latest_only:
        _take_place(platform, session, build)
    build_queue.tell_one(platform, session, build, build_queue.waiting(platform, session).get(build.id, ""))
    return build


def _tell_queued(platform: Platform, session: Session, build: Build) -> None:
    user = session.get(User, build.created_by) if build.created_by else None
    what = build.commit[:8] or build.source_location or "the last source"
    line = f"-----> Build {build.number} of {what} queued by {user.name if user else 'the platform'}"
    why = f" ({build.trigger_message})" if build.trigger_message else ""
    events.write(session, build.app_id, source(build), [line + why], platform.now())


def _take_place(platform: Platform, session: Session, build: Build) -> None:
    """SerialLatestOnly: whoever still waits behind the running one gives way."""
    older = (Build.app_id == build.app_id, Build.state == State.queued, Build.number < build.number)
    for other in session.scalars(select(Build).where(*older)):
        error = BuildFailed(f"build {build.number} takes its place", reason="CancelledBuild", stage="")
        record_failure(platform, session, other, Event.cancel, error, [])


def source(build: Build) -> str:
    return f"build/{build.number}"


def announce(platform: Platform, build: Build) -> None:
    """After the commit: tell the readers, wake a worker."""
    platform.signals.notify(build.app_id)
    platform.jobs.enqueue(JobName.builds_run, build.id)


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
        info = info_of(platform, session, build)
    platform.signals.notify(build.app_id)
    build_queue.tell(platform)
    return info


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
        waits = build_queue.waiting(platform, session)
        return [info_of(platform, session, build, waits) for build in session.scalars(query)]


def get(platform: Platform, actor: Actor, project: str, app: str, number: int) -> BuildInfo:
    with platform.db.read() as session:
        row = apps.find(session, actor, Permission.app_view, project, app)
        return info_of(platform, session, _find(session, row, number))


def _find(session: Session, app: App, number: int) -> Build:
    build = session.scalar(select(Build).where(Build.app_id == app.id, Build.number == number))
    if build is None:
        raise NotFound(f"there is no build {number} of {app.name!r}", hint="See `paasctl builds list`.")
    return build


def info_of(platform: Platform, session: Session, build: Build, waits: Mapping[str, str] | None = None) -> BuildInfo:
    """`waits`: what the queued builds wait for, where it is known already."""
    release = session.scalar(select(Release.number).where(Release.build_id == build.id))
    user = session.get(User, build.created_by) if build.created_by else None
    if waits is None and build.state == State.queued:
        waits = build_queue.waiting(platform, session)
    return BuildInfo(
        number=build.number,
        state=build.state,
        trigger=build.trigger,
        trigger_message=build.trigger_message,
        source_kind=build.source_kind,
        source_location=build.source_location,
        commit=build.commit,
        ref=build.ref,
        author=build.commit_author,
        message=build.commit_message,
        created_by=user.name if user else "",
        created_at=build.created_at,
        started_at=build.started_at,
        finished_at=build.finished_at,
        waiting=(waits or {}).get(build.id, ""),
        image=build.image or "",
        builder=build.builder or "",
        strategy=build.strategy,
        settings=build.settings,
        no_cache=build.no_cache,
        ledger=build.ledger,
        stages=build.stages,
        reason=build.reason or "",
        stage=build.stage or "",
        error=build.message if State(build.state).is_final else "",
        hint=build.hint or "",
        release=f"v{release}" if release else None,
    )
