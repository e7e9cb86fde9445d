"""Leases: one worker holds a build or a release at a time, and a paused one changes nothing when it wakes.

Each claim raises the row's fencing number; the heartbeat and every later write carry it. Leases end
by the wall clock of the database's rows; the holder also stops by its own monotonic clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from paas.actions.platform import Platform
from paas.db.models import Build, Release
from paas.errors import LostLease, PaasError, Unavailable

Held = Build | Release


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

    def __init__(self, platform: Platform, model: type[Build] | type[Release], row_id: str, fence: int) -> None:
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
        assert isinstance(row, Build | Release)
        return row

    def beat(self) -> None:
        """Prolong until told to stop."""
        pause = self._platform.settings.lease_seconds / 3
        while not self._stop.wait(pause):
            started = time.monotonic()
            try:
                self._lost = not self._prolong()
            except Unavailable:
                continue  # the lease may still be good: `_good_until` decides
            if self._lost:
                return
            self._good_until = started + self._platform.settings.lease_seconds

    def _prolong(self) -> bool:
        now = self._platform.now()
        until = now + timedelta(seconds=self._platform.settings.lease_seconds)
        with self._platform.db.write() as session:
            mine = (self._model.id == self._id, self._model.fence == self._fence, self._model.lease_until >= now)
            found = session.execute(update(self._model).where(*mine).values(lease_until=until))
            if self._model is Build:
                row = session.get(Build, self._id)
                self._cancelled = bool(row and row.is_cancel_requested)
        return bool(found.rowcount)  # type: ignore[attr-defined]

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def hold(platform: Platform, model: type[Build] | type[Release], row_id: str, fence: int) -> Iterator[Lease]:
    """Keep the claimed row's lease alive for the length of the block."""
    lease = Lease(platform, model, row_id, fence)
    thread = threading.Thread(target=lease.beat, name=f"lease {row_id}", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        lease.stop()
        thread.join(timeout=30)
