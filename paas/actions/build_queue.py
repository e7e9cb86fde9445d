"""The builds' line: which may run now, and what each of the others waits for. The rows are the queue."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from paas.actions import events
from paas.actions.platform import Platform
from paas.core import queues
from paas.core.builds import RunPolicy, State
from paas.core.queues import Caps, Item, Place, Why
from paas.db.models import App, Build, Project

OPEN = (State.queued, State.running)
WAITING = "waiting"
"""Key of a queued build's facts: what its story last said it waits for."""
NAMED = 5


def runnable(platform: Platform) -> list[str]:
    """Ids of the queued builds that may run now: fair between projects, within the limits, in order per app."""
    with platform.db.read() as session:
        return choose(platform, session)


def choose(platform: Platform, session: Session) -> list[str]:
    """The same inside of the transaction that claims one."""
    return queues.choose(_items(platform, session), _caps(platform, session))


def _items(platform: Platform, session: Session) -> list[Item]:
    columns = (Build.id, Build.number, Build.app_id, Build.state, Build.settings, Build.not_before, App.project_id)
    query = select(*columns).join(App).where(Build.state.in_(OPEN), App.is_deleting.is_(False))
    now = platform.now()
    return [
        Item(
            id=row.id,
            number=row.number,
            app=row.app_id,
            project=row.project_id,
            running=row.state == State.running,
            parallel=row.settings.get("run_policy") == RunPolicy.parallel,
            ready=row.not_before is None or row.not_before <= now,
        )
        for row in session.execute(query.order_by(Build.created_at, Build.number))
    ]


def _caps(platform: Platform, session: Session) -> Caps:
    settings = platform.settings
    own = dict(session.execute(select(Project.id, Project.build_limit).where(Project.build_limit > 0)).all())
    return Caps(settings.build_concurrency, settings.builds_per_project, settings.builds_per_app, own)


def waiting(platform: Platform, session: Session) -> dict[str, str]:
    """What each queued build waits for, by id; empty: it may run at once."""
    caps = _caps(platform, session)
    found = queues.places(_items(platform, session), caps)
    return {build_id: _text(session, build_id, place, caps) for build_id, place in found.items()}


def _text(session: Session, build_id: str, place: Place, caps: Caps) -> str:
    turn = f"position {place.position} of {place.waiting}"
    match place.why:
        case Why.now:
            return ""
        case Why.pause:
            why = session.scalar(select(Build.message).where(Build.id == build_id))
            return f"{why or 'the last try failed'}: trying again soon"
        case Why.app:
            numbers = [str(item.number) for item in sorted(place.behind, key=lambda item: item.number)]
            return f"queued behind build{'s' if len(numbers) > 1 else ''} {_listed(numbers)} of this app"
        case Why.project:
            return f"{_of_project(session, place, caps)}; {turn}"
        case Why.total:
            return f"{len(place.behind)} of {caps.total} builds of the platform are running; {turn}"


def _of_project(session: Session, place: Place, caps: Caps) -> str:
    project = session.get_one(Project, place.behind[0].project)
    apps = dict(session.execute(select(App.id, App.name).where(App.project_id == project.id)).all())
    named = _listed([f"{apps.get(item.app, 'an app')} {item.number}" for item in place.behind])
    most = caps.project(project.id)
    return f"{len(place.behind)} of {most} builds of project {project.name} are running: {named}"


def _listed(texts: list[str]) -> str:
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more


def tell(platform: Platform) -> None:
    """Write into each queued build's story what it waits for, where that has changed."""
    with platform.db.read() as session:
        queued = select(Build.id, Build.facts).where(Build.state == State.queued)
        told = {build_id: facts.get(WAITING, "") for build_id, facts in session.execute(queued)}
        now = waiting(platform, session) if told else {}
    changed = {build_id for build_id, text in now.items() if text and text != told.get(build_id, text)}
    for app_id in _tell(platform, changed) if changed else ():
        platform.signals.notify(app_id)


def _tell(platform: Platform, changed: set[str]) -> set[str]:
    with platform.db.write() as session:
        texts = waiting(platform, session)
        rows = list(session.scalars(select(Build).where(Build.id.in_(changed), Build.state == State.queued)))
        for build in rows:
            tell_one(platform, session, build, texts.get(build.id, ""))
        return {build.app_id for build in rows}


def tell_one(platform: Platform, session: Session, build: Build, text: str) -> None:
    """The line of one build, once per text; a retry has told its reason itself."""
    if build.not_before and build.not_before > platform.now():
        return
    if text and text != build.facts.get(WAITING):
        build.facts = {**build.facts, WAITING: text}
        events.write(session, build.app_id, f"build/{build.number}", [f"       Waiting: {text}"], platform.now())
