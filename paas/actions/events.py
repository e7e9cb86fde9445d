"""An app's story: numbered lines, stored first, then streamed; read again from any number.

Whoever reads (push output, paasctl, API) reads the same rows. A signal only says that there is more.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from paas.actions import access, apps
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.core.permissions import Permission
from paas.db.models import App, Event
from paas.errors import InvalidInput

MAX_TEXT = 16 * 1024
MAX_PAGE = 1000
CHECK_SECONDS = 3.0
FORGET_BATCH = 5000
SOURCE = re.compile(r"[a-z]+(/[a-z0-9][-a-z0-9.]*)?")


@dataclass(frozen=True)
class EventInfo:
    number: int
    at: datetime
    source: str
    kind: str
    text: str


@dataclass(frozen=True)
class Query:
    """Which lines: after a number, of a source (`build`, `build/12`, `app/web`), `limit` of them or the last `tail`."""

    after: int = 0
    limit: int = MAX_PAGE
    source: str = ""
    tail: int = 0


@dataclass(frozen=True)
class Page:
    items: tuple[EventInfo, ...]
    next: int
    """Give it as `after` to go on."""


def write(
    session: Session, app_id: str, source: str, texts: Sequence[str], at: datetime, kind: str = "line"
) -> int | None:
    """Append lines in the caller's transaction; the last number, or None where the app is gone."""
    if not texts:
        return None
    query = update(App).where(App.id == app_id).values(last_event=App.last_event + len(texts)).returning(App.last_event)
    last = session.scalar(query.execution_options(synchronize_session=False))
    if last is None:
        return None
    first = last - len(texts) + 1
    rows = [
        {"app_id": app_id, "number": first + n, "at": at, "source": source, "kind": kind, "text": _clean(text)}
        for n, text in enumerate(texts)
    ]
    session.execute(Event.__table__.insert(), rows)  # type: ignore[attr-defined]
    return last


def _clean(text: str) -> str:
    """A lone surrogate or a NUL would stop the database, and with it the teller."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")[:MAX_TEXT]


def page(platform: Platform, actor: Actor, project: str, app: str, query: Query) -> Page:
    """The lines that there are now."""
    with platform.db.read() as session:
        row = apps.find(session, actor, Permission.app_logs, project, app)
        return _page(session, row, _checked(query))


def _checked(query: Query) -> Query:
    if query.source and not SOURCE.fullmatch(query.source):
        raise InvalidInput(
            f"source {query.source[:60]!r} is not valid", field="source", hint="For example build/12 or app/web."
        )
    return replace(query, limit=max(1, min(query.limit, MAX_PAGE)), tail=max(0, min(query.tail, MAX_PAGE)))


def _page(session: Session, app: App, query: Query) -> Page:
    wanted = select(Event).where(Event.app_id == app.id, Event.number > query.after, *_of_source(query.source))
    if query.tail:
        rows = list(session.scalars(wanted.order_by(Event.number.desc()).limit(query.tail)))[::-1]
        return Page(tuple(map(_info, rows)), app.last_event)
    rows = list(session.scalars(wanted.order_by(Event.number).limit(query.limit)))
    full = len(rows) == query.limit
    return Page(tuple(map(_info, rows)), rows[-1].number if full else max(app.last_event, query.after))


def _of_source(source: str) -> list[ColumnElement[bool]]:
    if not source:
        return []
    return [or_(Event.source == source, Event.source.startswith(source + "/"), Event.source.startswith(source + "."))]


def _info(row: Event) -> EventInfo:
    return EventInfo(row.number, row.at, row.source, row.kind, row.text)


def follow(
    platform: Platform,
    actor: Actor,
    project: str,
    app: str,
    query: Query,
    until: str = "",
    *,
    heartbeat: float = 15,
    check_every: float = CHECK_SECONDS,
) -> Iterator[EventInfo | None]:
    """Lines as they come; None as a heartbeat. Ends after the end event of the source `until`.

    The actor's role is asked with every page and the token every few seconds, so the stream of a removed member or
    a revoked token ends. Raises NotFound, Unauthenticated then.
    """
    with platform.db.read() as session:
        app_id = apps.find(session, actor, Permission.app_logs, project, app).id
    quiet, checked = 0.0, time.monotonic()
    while True:
        seen = platform.signals.seen(app_id)
        if time.monotonic() - checked >= check_every:
            checked = time.monotonic()
            with platform.db.read() as session:
                access.check_still(session, actor, platform.now())
        found = page(platform, actor, project, app, query)
        for item in found.items:
            yield item
            if until and item.kind == "end" and item.source == until:
                return
        quiet = 0.0 if found.items else quiet + 1
        query = replace(query, after=found.next, tail=0)
        if quiet >= heartbeat:
            quiet = 0.0
            yield None
        if not found.items:
            platform.signals.wait(app_id, seen, 1.0)


def forget_old(platform: Platform, batch: int = FORGET_BATCH) -> None:
    """Remove lines that are past their days, all of them, in batches that hold up nobody."""
    limit = platform.now() - timedelta(days=platform.settings.event_days)
    with platform.db.read() as session:
        last = select(Event.app_id, func.max(Event.number)).where(Event.at < limit).group_by(Event.app_id)
        doomed = session.execute(last).all()
    for app_id, number in doomed:
        while _forget_batch(platform, app_id, number, batch):
            pass


def _forget_batch(platform: Platform, app_id: str, last: int, batch: int) -> bool:
    """Remove the first lines of an app up to `last`; are there more?"""
    mine = (Event.app_id == app_id, Event.number <= last)
    with platform.db.write() as session:
        first = session.scalar(select(func.min(Event.number)).where(*mine))
        if first is None:
            return False
        session.execute(delete(Event).where(*mine, Event.number < first + batch))
    return first + batch <= last
