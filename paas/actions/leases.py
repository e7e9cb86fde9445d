"""Leases: one worker holds a build or a release at a time, and a paused one changes nothing when it wakes.

Each claim raises the row's fencing number; the heartbeat and every later write carry it. Leases end
by the wall clock of the database's rows; the holder also stops by its own monotonic clock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from paas.actions.platform import Platform
from paas.db.models import Build, Rebase, Release
from paas.errors import LostLease, PaasError, Unavailable

log = logging.getLogger(__name__)
Held = Build | Release | Rebase
CANCEL_SECONDS = 0.5
"""How soon a running build notices that it was cancelled."""


class Cancelled(PaasError):
    """The build was cancelled."""

    status, code = 409, "cancelled"


def take(platform: Platform, row: Held) -> int:
    """Claim the row in the caller's transaction; the fencing number."""
    row.fence += 1
    row.lease_until = platform.now() + timedelta(seconds=platform.settings.lease_seconds)
    return row.fence


class Lease:
    """Held while the heartbeat runs."""

    def __init__(self, platform: Platform, model: type[Held], row_id: str, fence: int) -> None:
        self._platform, self._model, self._id, self._fence = platform, model, row_id, fence
        self._stop = threading.Event()
        self._lost = False
        self._cancelled = False
        self._good_until = time.monotonic() + platform.settings.lease_seconds

    def check(self) -> None:
        """Raises LostLease or Cancelled where the work must stop."""
        if self._lost or time.monotonic() > self._good_until:
            raise LostLease
        if self._cancelled:
            raise Cancelled

    def guard(self, session: Session) -> Held:
        """The row, for a write in this transaction. Raises LostLease."""
        row: Any = session.get(self._model, self._id, with_for_update=True)
        if row is None or row.fence != self._fence:
            self._lost = True
            raise LostLease
        assert isinstance(row, Build | Release | Rebase)
        return row

    def beat(self) -> None:
        """Prolong until told to stop, and look for a cancel more often."""
        pause = self._platform.settings.lease_seconds / 3
        due = time.monotonic() + pause
        while not self._stop.wait(min(CANCEL_SECONDS, pause)):
            started = time.monotonic()
            try:
                self._look()
                if started < due:
                    continue
                self._lost = not self._prolong()
            except Unavailable:
                continue  # the lease may still be good: `_good_until` decides
            if self._lost:
                return
            due = started + pause
            self._good_until = started + self._platform.settings.lease_seconds

    def _look(self) -> None:
        if self._model is not Build or self._cancelled:
            return
        with self._platform.db.read() as session:
            found = session.execute(select(Build.fence, Build.is_cancel_requested).where(Build.id == self._id)).first()
        self._lost = self._lost or found is None or found.fence != self._fence
        self._cancelled = bool(found and found.is_cancel_requested)

    def _prolong(self) -> bool:
        now = self._platform.now()
        until = now + timedelta(seconds=self._platform.settings.lease_seconds)
        with self._platform.db.write() as session:
            mine = (self._model.id == self._id, self._model.fence == self._fence, self._model.lease_until >= now)
            found = session.execute(update(self._model).where(*mine).values(lease_until=until))
        return bool(found.rowcount)  # type: ignore[attr-defined]

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def hold(platform: Platform, model: type[Held], row_id: str, fence: int) -> Iterator[Lease]:
    """Keep the claimed row's lease alive for the length of the block."""
    lease = Lease(platform, model, row_id, fence)
    thread = threading.Thread(target=lease.beat, name=f"lease {row_id}", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        lease.stop()
        thread.join(timeout=30)


def _told(error: Exception) -> str:
    """Our own errors are made to be read, with what to do; of others only the name is told."""
    if not isinstance(error, PaasError):
        return type(error).__name__
    return f"{error.message}. {error.hint}" if error.hint else error.message


def work(
    platform: Platform,
    model: type[Held],
    row_id: str,
    fence: int,
    do: Callable[[Lease], None],
    crash: Callable[[Lease, str], None],
) -> bool:
    """Do the work on a claimed row; was the lease kept to the end?

    What nobody expected ends the row here, where its fence is known: a worker that lost the lease ends nothing.
    """
    with hold(platform, model, row_id, fence) as lease:
        try:
            try:
                do(lease)
            except (LostLease, Unavailable):
                raise
            except Exception as error:
                log.exception("work on %s failed unexpectedly", row_id)
                crash(lease, f"the platform failed: {_told(error)}")
        except LostLease:
            return False  # somebody else has it: change nothing
        except Unavailable as error:
            log.warning("work on %s is left to the sweep: %s", row_id, error)  # its lease runs out, nothing is lost
            return False
    return True
