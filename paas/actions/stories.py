"""The teller of a build or a release: its lines become events, in batches, without making it wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from sqlalchemy.orm import Session

from paas.actions import events
from paas.actions.platform import Platform
from paas.errors import NotFound, PaasError, Unavailable


class Story:
    """Tells lines of one source. They are stored in batches, at most `DELAY` seconds late, in order.

    `guard` runs in the transaction of every batch: it raises where the teller has lost its lease,
    and then nothing is stored and the next `say`, or the end of the block, raises the same.
    """

    DELAY = 0.05
    MOST = 500
    PATIENCE = 60.0
    """Seconds that the database may be away: the lines wait, and so does the teller when there are many."""

    def __init__(self, platform: Platform, app_id: str, source: str, guard: Callable[[Session], object]) -> None:
        self._platform, self._app_id, self._source, self._guard = platform, app_id, source, guard
        self._lines: list[str] = []
        self._wake = threading.Condition()
        self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, name=f"story {source}", daemon=True)

    def __enter__(self) -> Story:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self._error and error is None:
            raise self._error

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
        self._thread.join(timeout=2 * self.PATIENCE)
        if self._thread.is_alive():
            self._fail(Unavailable("the story cannot be stored"))

    def _write(self) -> None:
        try:
            while lines := self._next():
                self._store_patiently(lines)
        except PaasError as error:
            self._fail(error)
        except BaseException as error:
            self._fail(error)  # or `say` would wait for ever
            raise

    def _next(self) -> list[str]:
        """The next batch; empty at the end."""
        with self._wake:
            while not self._lines and not self._closed:
                self._wake.wait()
            if not self._closed:
                self._wake.wait(self.DELAY)
            lines, self._lines = self._lines, []
            self._wake.notify_all()
            return lines

    def _fail(self, error: BaseException) -> None:
        with self._wake:
            self._error = error
            self._wake.notify_all()

    def _store_patiently(self, lines: list[str]) -> None:
        until = time.monotonic() + self.PATIENCE
        while True:
            try:
                return self._store(lines)
            except Unavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)

    def _store(self, lines: list[str]) -> None:
        with self._platform.db.write() as session:
            self._guard(session)
            if events.write(session, self._app_id, self._source, lines, self._platform.now()) is None:
                raise NotFound("the app is gone")
        self._platform.signals.notify(self._app_id)
