"""Opens the database: SQLite in WAL mode by default, PostgreSQL by one setting.

A transaction that writes takes the one write lock at its start (SQLite: BEGIN IMMEDIATE, PostgreSQL: an advisory
lock), so that what it read still holds when it writes: limits are counted and numbers given out in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from paas.errors import Unavailable

BUSY_SECONDS = 15
WRITERS = 0x70616173
"""Key of PostgreSQL's lock; it ends with the transaction. Writes are short, and READ COMMITTED sees what the one before
has written."""


class Database:
    """Hands out transactions; safe to share between threads, not across fork."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any error. Raises Unavailable if it stays locked."""
        with self._session(immediate=True) as session:
            if session.get_bind().dialect.name == "postgresql":
                session.execute(select(func.pg_advisory_xact_lock(WRITERS)))
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view; nothing is written."""
        with self._session(immediate=False) as session:
            yield session

    @contextmanager
    def _session(self, *, immediate: bool) -> Iterator[Session]:
        engine = self.engine.execution_options(paas_immediate=immediate)
        if not immediate and engine.dialect.name == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")  # one snapshot for all of it
        try:
            with Session(engine, expire_on_commit=False) as session:
                yield session
        except OperationalError as error:
            raise Unavailable("the database does not answer", retry_after=5) from error


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        options = {"connect_timeout": BUSY_SECONDS, "options": f"-c lock_timeout={BUSY_SECONDS}s"}
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=40, connect_args=options)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, pool_size=10, max_overflow=400)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # this module, not the driver, says BEGIN
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    immediate = connection.get_execution_options().get("paas_immediate", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
