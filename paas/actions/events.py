"""An app's story: numbered lines, stored first, then streamed; read again from any number.

Whoever reads (push output, paasctl, API) reads the same rows. A signal only says that there is more.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from paas.actions import apps
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.core.permissions import Permission
from paas.db.models import App, Event
from paas.errors import InvalidInput, NotFound, PaasError

MAX_TEXT = 16 * 1024
MAX_PAGE = 1000
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
    platform: Platform, actor: Actor, project: str, app: str, query: Query, until: str = "", heartbeat: float = 15
) -> Iterator[EventInfo | None]:
    """Lines as they come; None as a heartbeat. Ends after the end event of the source `until`.

    The actor's right is asked again with every page, so a removed member's stream ends. Raises NotFound then.
    """
    with platform.db.read() as session:
        app_id = apps.find(session, actor, Permission.app_logs, project, app).id
    quiet = 0.0
    while True:
        seen = platform.signals.seen(app_id)
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


def forget_old(platform: Platform) -> None:
    """Remove lines that are past their days, a bounded number at a time."""
    limit = platform.now() - timedelta(days=platform.settings.event_days)
    with platform.db.write() as session:
        old = select(Event.app_id, Event.number).where(Event.at < limit).limit(5000)
        for app_id, number in session.execute(old).all():
            session.execute(delete(Event).where(Event.app_id == app_id, Event.number == number))


class Story:
    """Tells lines of one source. They are stored in batches, at most `DELAY` seconds late, in order.

    `guard` runs in the transaction of every batch: it raises where the teller has lost its lease,
    and then nothing is stored and the next `say` raises the same.
    """

    DELAY = 0.05
    MOST = 500

    def __init__(self, platform: Platform, app_id: str, source: str, guard: Callable[[Session], object]) -> None:
        self._platform, self._app_id, self._source, self._guard = platform, app_id, source, guard
        self._lines: list[str] = []
        self._wake = threading.Condition()
        self._closed = False
        self._error: PaasError | None = None
        self._thread = threading.Thread(target=self._write, name=f"story {source}", daemon=True)

    def __enter__(self) -> Story:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def say(self, line: str) -> None:
        """Tell one line. Raises what storing an earlier one raised."""
        with self._wake:
            if self._error:
                raise self._error
            while len(self._lines) >= self.MOST and not self._error:
                self._wake.wait(1)
            self._lines.append(line)
            self._wake.notify_all()

    def close(self) -> None:
        """Store what is left."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._thread.join(timeout=60)

    def _write(self) -> None:
        while True:
            with self._wake:
                while not self._lines and not self._closed:
                    self._wake.wait()
                if not self._closed:
                    self._wake.wait(self.DELAY)
                lines, self._lines = self._lines, []
                self._wake.notify_all()
                if not lines and self._closed:
                    return
            try:
                self._store(lines)
            except PaasError as error:
                with self._wake:
                    self._error = error
                    self._wake.notify_all()
                return

    def _store(self, lines: list[str]) -> None:
        with self._platform.db.write() as session:
            self._guard(session)
            if write(session, self._app_id, self._source, lines, self._platform.now()) is None:
                raise NotFound("the app is gone")
        self._platform.signals.notify(self._app_id)
