"""Collects what instances write into the apps' stories: every line once, whatever dies in between.

A line and the cursor that remembers it are stored in one transaction; after a restart the engine is
asked for what came after the cursors. An app that writes more than its rate loses lines, and is told how many.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from itertools import groupby

from sqlalchemy import delete, select

from paas.actions import events
from paas.actions.platform import Platform
from paas.core import rates
from paas.core.names import AppId
from paas.core.rates import Bucket
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


class _Rates:
    """What each app may still write, and how many of its lines were dropped since it was told."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._buckets: dict[str, Bucket] = {}
        self._dropped: Counter[str] = Counter()
        self._told: dict[str, float] = {}

    def admit(self, app_id: str, count: int) -> int:
        """How many of so many lines are kept."""
        now = time.monotonic()
        bucket = self._buckets.get(app_id) or rates.full(self._rate, now)
        granted, self._buckets[app_id] = rates.take(bucket, count, self._rate, now)
        self._dropped[app_id] += count - granted
        return granted

    def note(self, app_id: str) -> list[str]:
        """What to tell about dropped lines, once a second at most."""
        now = time.monotonic()
        if not self._dropped[app_id] or now - self._told.get(app_id, 0.0) < 1.0:
            return []
        self._told[app_id] = now
        return [f"{self._dropped.pop(app_id)} lines dropped: more than {self._rate} a second"]


def _store_all(platform: Platform, lines: queue.Queue[LogLine | None], stop: Callable[[], bool]) -> None:
    """Until the reader ends."""
    allowed = _Rates(platform.settings.log_rate)
    while not stop():
        batch, is_over = _next_batch(lines)
        by_app: dict[str, list[LogLine]] = defaultdict(list)
        for line in batch:
            by_app[line.app_id].append(line)
        for app_id, group in by_app.items():
            kept = group[: allowed.admit(app_id, len(group))]
            _store(platform, app_id, group, kept, allowed.note(app_id))
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


def _store(platform: Platform, app_id: str, lines: list[LogLine], kept: list[LogLine], notes: list[str]) -> None:
    """Lines that are not kept move the cursors all the same."""
    now = platform.now()
    with platform.db.write() as session:
        if session.get(App, app_id) is None:
            return
        for instance, group in groupby(kept, key=lambda line: line.instance):
            events.write(session, app_id, f"app/{instance}", [line.text for line in group], now)
        events.write(session, app_id, "api", notes, now)
        for instance_id, at in {line.instance_id: line.at for line in lines}.items():
            session.merge(LogCursor(instance_id=instance_id, app_id=app_id, at=at))
    platform.signals.notify(app_id)


def forget_cursors(platform: Platform) -> None:
    """Remove the cursors of instances that the engine no longer has and that wrote nothing for a day."""
    old = (platform.now() - timedelta(days=1)).isoformat()
    by_app: dict[str, list[str]] = defaultdict(list)
    with platform.db.read() as session:
        query = select(LogCursor.app_id, LogCursor.instance_id).where(LogCursor.at < old)
        for app_id, instance_id in session.execute(query):
            by_app[app_id].append(instance_id)
    for app_id, instance_ids in by_app.items():
        there = {instance.id for instance in platform.driver().observe(AppId(app_id))}
        gone = [instance_id for instance_id in instance_ids if instance_id not in there]
        with platform.db.write() as session:
            session.execute(delete(LogCursor).where(LogCursor.instance_id.in_(gone)))
