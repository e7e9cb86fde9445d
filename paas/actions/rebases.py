"""Apps move onto the newest version of their base: one, or all in waves that stop when too many fail.

An app's part is one release, deployed and health-checked like any other; one that does not get healthy is failed, and
the old release serves on. The rows are the state; `advance` moves it and may be called twice, anywhere, any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from paas.actions import access, apps, releases
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.actions.releases import ReleaseInfo
from paas.core import releases as core_releases
from paas.core.permissions import Permission
from paas.core.rebases import DEFAULT_WAVES, Part, Rebased, State, assign, decide
from paas.db.models import App, Build, Rebase, RebaseApp, Release, User
from paas.errors import Conflict, NotFound, PaasError, Unavailable

ENDED = {core_releases.State.live: Part.done, core_releases.State.superseded: Part.done}


@dataclass(frozen=True)
class PartInfo:
    """One app's part in a rebase."""

    project: str
    app: str
    wave: int
    state: str
    message: str
    release: str | None


@dataclass(frozen=True)
class RebaseInfo:
    """A rebase of many apps: how far it is."""

    number: int
    state: str
    waves: str
    max_failures: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    counts: dict[str, int]
    apps: list[PartInfo]


def rebase_app(platform: Platform, actor: Actor, project: str, app: str) -> ReleaseInfo | None:
    """A release of the app on its base as it is now; nothing where it stands on that already. Raises Conflict."""
    with platform.db.read() as session:
        row = apps.find(session, actor, Permission.app_deploy, project, app)
        origin = releases.base(session, row.id)
        if origin is None:
            raise Conflict(f"{app!r} has no release yet", hint="Push first: git push paas main")
    made = platform.rebase(row.id, origin.image)
    if made.is_current:
        return None
    with platform.db.write() as session:
        release = _release(platform, session, session.get_one(App, row.id), origin.image, actor, made)
        info = releases.info_of(session, release)
    releases.announce(platform, release)
    return info


def _release(platform: Platform, session: Session, app: App, image: str, actor: Actor, made: Rebased) -> Release:
    origin = releases.base(session, app.id)
    if origin is None or origin.image != image or app.is_deleting:
        raise Conflict("another release came meanwhile", hint="Rebase again if it stands on the old base.")
    told = f"Rebase onto {made.new_base.removeprefix('sha256:')[:12]}"
    return releases.derive(platform, session, app, origin, actor, "rebase", told, image=made.image)


def start(platform: Platform, actor: Actor, builder: str, waves: str, max_failures: int, *, is_dry: bool) -> RebaseInfo:
    """Move all apps (of one builder, where it is named) in waves. Platform admins only. Raises Conflict."""
    access.authorise_platform(actor, Permission.platform_builders)
    with platform.db.write() as session:
        if session.scalar(select(Rebase.number).where(Rebase.state == State.running)):
            raise Conflict("a rebase is running", hint="See `paasctl apps rebase --status`, or wait for its end.")
        chosen = _candidates(session, builder)
        places = assign(len(chosen), waves)
        row = Rebase(
            number=(session.scalar(select(func.max(Rebase.number))) or 0) + 1,
            state=State.running,
            settings={"builder": builder, "waves": waves, "max_failures": max_failures},
            created_by=actor.user_id,
            created_at=platform.now(),
            fence=0,
        )
        session.add(row)
        session.flush()
        for app_id, wave in zip(chosen, places, strict=True):
            session.add(RebaseApp(rebase_id=row.id, app_id=app_id, wave=wave, state=Part.waiting))
        session.flush()
        info = _info(session, row)
        if is_dry:
            session.rollback()
    return info


def _candidates(session: Session, builder: str) -> list[str]:
    """Apps with a live release, the newest first: few depend on those yet."""
    live = select(Release.app_id).where(Release.state == core_releases.State.live)
    query = select(App.id).where(App.id.in_(live), App.is_deleting.is_(False)).order_by(App.created_at.desc())
    found = list(session.scalars(query))
    return [app_id for app_id in found if not builder or _is_of(session, app_id, builder)]


def _is_of(session: Session, app_id: str, builder: str) -> bool:
    last = select(Build.builder).where(Build.app_id == app_id, Build.state == "succeeded")
    found = session.scalar(last.order_by(Build.number.desc()).limit(1)) or ""
    return builder in (found, found.partition(":")[0])


def advance_all(platform: Platform) -> None:
    """Move every running rebase on as far as it can go now."""
    with platform.db.read() as session:
        running = list(session.scalars(select(Rebase.id).where(Rebase.state == State.running)))
    for rebase_id in running:
        advance(platform, rebase_id)


def advance(platform: Platform, rebase_id: str) -> None:
    """Note what ended, then start the next wave or end the whole."""
    with platform.db.write() as session:
        row = session.get(Rebase, rebase_id)
        if row is None or row.state != State.running:
            return
        parts = _parts(session, rebase_id)
        for part in parts:
            _note_end(session, part)
        decision = decide([(part.wave, Part(part.state)) for part in parts], int(row.settings["max_failures"]))
        if decision.state is not State.running:
            _end(platform, row, parts, decision.state)
        wave = [part.app_id for part in parts if part.wave == decision.wave and part.state == Part.waiting]
        actor = Actor(row.created_by or "", "rebase", is_admin=True)
    for app_id in wave:
        _move(platform, rebase_id, app_id, actor)


def _parts(session: Session, rebase_id: str) -> list[RebaseApp]:
    query = select(RebaseApp).where(RebaseApp.rebase_id == rebase_id).order_by(RebaseApp.wave, RebaseApp.app_id)
    return list(session.scalars(query))


def _note_end(session: Session, part: RebaseApp) -> None:
    if part.state != Part.deploying:
        return
    release = session.get(Release, part.release_id) if part.release_id else None
    if release is None:
        part.state, part.message = Part.skipped, "the app was deleted"
    elif release.state in ENDED:
        part.state = ENDED[core_releases.State(release.state)]
    elif release.state == core_releases.State.failed:
        part.state, part.message = Part.failed, release.message


def _end(platform: Platform, row: Rebase, parts: list[RebaseApp], state: State) -> None:
    row.state, row.finished_at = state, platform.now()
    for part in parts:
        if part.state == Part.waiting:
            part.state, part.message = Part.skipped, "too many failed before its turn"


def _move(platform: Platform, rebase_id: str, app_id: str, actor: Actor) -> None:
    """One app's release; what cannot be moved is skipped and says why."""
    with platform.db.read() as session:
        origin = releases.base(session, app_id)
    try:
        if origin is None:
            raise NotFound("it has no release any more")
        made = platform.rebase(app_id, origin.image)
    except Unavailable:
        raise  # the next sweep tries again
    except PaasError as error:
        return _settle(platform, rebase_id, app_id, Part.skipped, error.message)
    if made.is_current:
        return _settle(platform, rebase_id, app_id, Part.skipped, "it stands on the newest base already")
    release = _place(platform, rebase_id, app_id, origin.image, actor, made)
    if release:
        releases.announce(platform, release)
    return None


def _place(platform: Platform, rebase_id: str, app_id: str, image: str, actor: Actor, made: Rebased) -> Release | None:
    """The app's release and its part in one transaction, so there is exactly one."""
    with platform.db.write() as session:
        part = session.get(RebaseApp, (rebase_id, app_id))
        app = session.get(App, app_id)
        if part is None or app is None or part.state != Part.waiting:
            return None
        try:
            release = _release(platform, session, app, image, actor, made)
        except Conflict as error:
            part.state, part.message = Part.skipped, error.message
            return None
        part.state, part.release_id = Part.deploying, release.id
        return release


def _settle(platform: Platform, rebase_id: str, app_id: str, state: Part, message: str) -> None:
    with platform.db.write() as session:
        part = session.get(RebaseApp, (rebase_id, app_id))
        if part is not None and part.state == Part.waiting:
            part.state, part.message = state, message


def get(platform: Platform, actor: Actor, number: int | None) -> RebaseInfo:
    """One rebase, or the last. Platform admins only: it names all tenants. Raises NotFound."""
    access.authorise_platform(actor, Permission.platform_builders)
    with platform.db.read() as session:
        query = select(Rebase).order_by(Rebase.number.desc()).limit(1)
        row = session.scalar(query if number is None else query.where(Rebase.number == number))
        if row is None:
            raise NotFound("there is no such rebase", hint="Start one: paasctl apps rebase --all")
        return _info(session, row)


def _info(session: Session, row: Rebase) -> RebaseInfo:
    named = {
        app.id: (app.project.name, app.name)
        for app in session.scalars(
            select(App).join(RebaseApp, RebaseApp.app_id == App.id).where(RebaseApp.rebase_id == row.id)
            .options(joinedload(App.project))
        )
    }  # fmt: skip
    parts = _parts(session, row.id)
    numbers = dict(
        session.execute(select(Release.id, Release.number).where(Release.id.in_([p.release_id for p in parts]))).all()
    )
    user = session.get(User, row.created_by) if row.created_by else None
    counts = {state.value: sum(part.state == state for part in parts) for state in Part}
    return RebaseInfo(
        number=row.number,
        state=row.state,
        waves=str(row.settings.get("waves", DEFAULT_WAVES)),
        max_failures=int(row.settings.get("max_failures", 0)),
        created_by=user.name if user else "",
        created_at=row.created_at,
        finished_at=row.finished_at,
        counts={name: count for name, count in counts.items() if count},
        apps=[
            PartInfo(
                *named[part.app_id],
                wave=part.wave,
                state=part.state,
                message=part.message,
                release=f"v{numbers[part.release_id]}" if part.release_id in numbers else None,
            )
            for part in parts
            if part.app_id in named
        ],
    )
