"""Collects what instances write into the apps' stories: every line once, whatever dies in between.

A line and the cursor that remembers it are stored in one transaction; after a restart the engine is
asked for what came after the cursors.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import groupby

from sqlalchemy import select

from paas.actions import events
from paas.actions.platform import Platform
from paas.db.models import App, LogCursor
from paas.errors import Unavailable
from paas.ports import LogLine

BATCH = 1000
DELAY = 0.1


def collect(platform: Platform, stop: Callable[[], bool]) -> None:
    """Run until told to stop."""
    while not stop():
        lines: queue.Queue[LogLine | None] = queue.Queue(maxsize=10 * BATCH)
        ended = threading.Event()
        reader = threading.Thread(target=_read, args=(platform, lines, ended), daemon=True)
        reader.start()
        try:
            _store_all(platform, lines, stop)
        except Unavailable:
            time.sleep(1)  # the database is busy: read again from the cursors
        finally:
            ended.set()


def _read(platform: Platform, lines: queue.Queue[LogLine | None], ended: threading.Event) -> None:
    try:
        for line in platform.driver().logs(_cursors(platform), ended.is_set):
            while not ended.is_set():
                try:
                    lines.put(line, timeout=1)
                    break
                except queue.Full:
                    continue
    except Unavailable:
        time.sleep(1)
    finally:
        ended.set()
        lines.put(None)


def _cursors(platform: Platform) -> dict[str, str]:
    with platform.db.read() as session:
        return dict(session.execute(select(LogCursor.instance_id, LogCursor.at)).all())


def _store_all(platform: Platform, lines: queue.Queue[LogLine | None], stop: Callable[[], bool]) -> None:
    """Until the reader ends."""
    while not stop():
        batch, is_over = _next_batch(lines)
        by_app: dict[str, list[LogLine]] = defaultdict(list)
        for line in batch:
            by_app[line.app_id].append(line)
        for app_id, group in by_app.items():
            _store(platform, app_id, group)
        if is_over:
            return


def _next_batch(lines: queue.Queue[LogLine | None]) -> tuple[list[LogLine], bool]:
    batch: list[LogLine] = []
    try:
        first = lines.get(timeout=1)
    except queue.Empty:
        return batch, False
    until = time.monotonic() + DELAY
    while first is not None:
        batch.append(first)
        try:
            if len(batch) >= BATCH:
                return batch, False
            first = lines.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return batch, False
    return batch, True


def _store(platform: Platform, app_id: str, lines: list[LogLine]) -> None:
    now = platform.now()
    with platform.db.write() as session:
        if session.get(App, app_id) is None:
            return
        for instance, group in groupby(lines, key=lambda line: line.instance):
            events.write(session, app_id, f"app/{instance}", [line.text for line in group], now)
        for instance_id, at in {line.instance_id: line.at for line in lines}.items():
            session.merge(LogCursor(instance_id=instance_id, app_id=app_id, at=at))
    platform.signals.notify(app_id)
