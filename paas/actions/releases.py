"""Releases as their users see them, and how one comes to be. `deploys` brings them to life.

A release is image + config + formation, numbered and immutable. A build, a config change, a scale and
a rollback each make one; the newest wins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from paas.actions import apps, config_store, events
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.core import processes, releases
from paas.core.builds import BuildResult
from paas.core.permissions import Permission
from paas.core.releases import Event, State
from paas.db.models import App, Build, Release, User
from paas.errors import Conflict, DeployFailed, InvalidInput, NotFound, Unavailable
from paas.ports import JobName

BASES = (State.pending, State.deploying, State.live)


@dataclass(frozen=True)
class ReleaseInfo:
    version: str
    number: int
    state: str
    trigger: str
    description: str
    image: str
    build: int | None
    commit: str
    processes: Mapping[str, Any]
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    reason: str
    stage: str
    error: str
    hint: str


def source(release: Release) -> str:
    return f"release/{release.number}"


def from_build(platform: Platform, session: Session, build: Build, result: BuildResult) -> Release:
    """The release of a build, in the transaction that ends the build: so there is exactly one."""
    app = session.get_one(App, build.app_id)
    formation = processes.initial_formation(result.processes, app.formation)
    specs = {
        name: {
            "command": list(command),
            "count": formation[name],
            "check": result.health.get(name, processes.default_check(name)).to_json(),
        }
        for name, command in result.processes.items()
    }
    release = _add(
        platform,
        session,
        app,
        trigger="build",
        description=f"Deploy {build.commit[:8] or 'source'}",
        image=result.image,
        processes=specs,
        release_command=list(result.release_command),
        created_by=build.created_by,
    )
    release.build_id, release.build_number, release.commit = build.id, build.number, build.commit
    return release


def _add(platform: Platform, session: Session, app: App, **values: Any) -> Release:
    app.last_release += 1
    sealed = platform.vault.seal(
        json.dumps(config_store.values(platform, session, app.id)), f"{app.id}/v{app.last_release}"
    )
    row = Release(
        app_id=app.id,
        number=app.last_release,
        state=State.pending,
        sealed_config=sealed,
        created_at=platform.now(),
        fence=0,
        **values,
    )
    session.add(row)
    session.flush()
    return row


def config_of(platform: Platform, release: Release) -> dict[str, str]:
    """The config that the release froze."""
    opened = platform.vault.open(release.sealed_config, f"{release.app_id}/v{release.number}")
    values: dict[str, str] = json.loads(opened)
    return values


def base(session: Session, app_id: str) -> Release | None:
    """What a config change or a scale builds on: the newest release that is live or on its way."""
    query = select(Release).where(Release.app_id == app_id, Release.state.in_(BASES))
    return session.scalar(query.order_by(Release.number.desc()).limit(1))


def derive(
    platform: Platform,
    session: Session,
    app: App,
    origin: Release,
    actor: Actor,
    trigger: str,
    description: str,
    *,
    image: str = "",
) -> Release:
    """A release with the image of another (or `image`), the present config, and the formation as it is scaled now."""
    counts = processes.initial_formation(origin.processes, app.formation)
    specs = {name: {**spec, "count": counts[name]} for name, spec in origin.processes.items()}
    row = _add(
        platform,
        session,
        app,
        trigger=trigger,
        description=description[:300],
        image=image or origin.image,
        processes=specs,
        release_command=origin.release_command,
        created_by=actor.user_id or None,
    )
    row.build_number, row.commit = origin.build_number, origin.commit
    events.write(session, app.id, source(row), [f"-----> v{row.number}: {description} by {actor.name}"], platform.now())
    return row


def announce(platform: Platform, release: Release) -> None:
    """After the commit: tell the readers, wake a worker."""
    platform.signals.notify(release.app_id)
    platform.jobs.enqueue(JobName.releases_deploy, release.id)


def rollback(platform: Platform, actor: Actor, project: str, app: str, number: int) -> ReleaseInfo:
    """A new release with the image and the config of an earlier one, without a build. Raises Conflict."""
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_deploy, project, app)
        origin = _find(session, row, number)
        if origin.state == State.failed:
            raise Conflict(f"v{number} never became healthy", hint="Choose a release that was live.")
        _check_image(platform, row, origin)
        release = derive(platform, session, row, origin, actor, "rollback", f"Rollback to v{number}")
        restored = json.dumps(config_of(platform, origin))
        release.sealed_config = platform.vault.seal(restored, f"{row.id}/v{release.number}")
        config_store.replace_all(platform, session, row.id, config_of(platform, origin))
        info = info_of(session, release)
    announce(platform, release)
    return info


def _check_image(platform: Platform, app: App, release: Release) -> None:
    """Raises Conflict where garbage collection has taken the image."""
    try:
        platform.registry.digest_of(f"apps/{app.id}", release.image)
    except NotFound:
        raise Conflict(
            f"the image of v{release.number} is not there any more",
            hint="The last releases keep theirs, and tagged ones: `paasctl images tag`. Push that commit again.",
        ) from None
    except Unavailable:
        return  # the deploy waits for the registry


def list_all(
    platform: Platform, actor: Actor, project: str, app: str, before: int | None, limit: int
) -> list[ReleaseInfo]:
    """Newest first."""
    with platform.db.read() as session:
        row = apps.find(session, actor, Permission.app_view, project, app)
        query = select(Release).where(Release.app_id == row.id).order_by(Release.number.desc()).limit(min(limit, 200))
        if before is not None:
            query = query.where(Release.number < before)
        return [info_of(session, release) for release in session.scalars(query)]


def get(platform: Platform, actor: Actor, project: str, app: str, number: int) -> ReleaseInfo:
    with platform.db.read() as session:
        return info_of(session, _find(session, apps.find(session, actor, Permission.app_view, project, app), number))


def _find(session: Session, app: App, number: int) -> Release:
    if number < 1:
        raise InvalidInput("a release number starts at 1", field="release", hint="For example v3.")
    release = session.scalar(select(Release).where(Release.app_id == app.id, Release.number == number))
    if release is None:
        raise NotFound(f"there is no release v{number} of {app.name!r}", hint="See `paasctl releases list`.")
    return release


def record_end(
    platform: Platform, session: Session, release: Release, event: Event, error: DeployFailed | None
) -> None:
    """Write the end of a deploy into the row and the story."""
    release.state = releases.advance(State(release.state), event)
    release.finished_at, release.lease_until = platform.now(), None
    if error:
        release.reason, release.stage, release.message, release.hint = (
            error.reason,
            error.stage,
            error.message,
            error.hint,
        )
        told = [f" !     {error.message}"] + ([f" !     {error.hint}"] if error.hint else [])
        events.write(session, release.app_id, source(release), told, platform.now())
    events.write(session, release.app_id, source(release), [release.state], platform.now(), "end")


def info_of(session: Session, release: Release) -> ReleaseInfo:
    user = session.get(User, release.created_by) if release.created_by else None
    return ReleaseInfo(
        version=f"v{release.number}",
        number=release.number,
        state=release.state,
        trigger=release.trigger,
        description=release.description or "",
        image=release.image,
        build=release.build_number or None,
        commit=release.commit or "",
        processes={n: {"command": s["command"], "count": s["count"]} for n, s in release.processes.items()},
        created_by=user.name if user else "",
        created_at=release.created_at,
        finished_at=release.finished_at,
        reason=release.reason or "",
        stage=release.stage or "",
        error=release.message or "",
        hint=release.hint or "",
    )
