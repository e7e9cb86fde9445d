"""Tells followers that an app's story has grown: Redis pub/sub, or memory in one process.

Only a hint: the lines are in the database, a follower also looks every second. One connection per
process listens for all followers in it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict

import redis

log = logging.getLogger(__name__)
CHANNEL = "paas:story:"


class MemorySignals:
    """Followers in this process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._counts: dict[str, int] = defaultdict(int)

    def notify(self, app_id: str) -> None:
        with self._changed:
            self._counts[app_id] += 1
            self._changed.notify_all()

    def seen(self, app_id: str) -> int:
        with self._changed:
            return self._counts[app_id]

    def wait(self, app_id: str, seen: int, timeout: float) -> None:
        until = time.monotonic() + timeout
        with self._changed:
            while self._counts[app_id] == seen:
                left = until - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)


class RedisSignals:
    """Followers in all processes."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2, health_check_interval=30)
        self._local = MemorySignals()
        self._lock = threading.Lock()
        self._listener: threading.Thread | None = None

    def notify(self, app_id: str) -> None:
        self._local.notify(app_id)
        try:
            self._redis.publish(CHANNEL + app_id, "")
        except redis.RedisError as error:
            log.warning("story signal lost: %s", error)

    def seen(self, app_id: str) -> int:
        with self._lock:
            if self._listener is None:
                self._listener = threading.Thread(target=self._listen, name="signals", daemon=True)
                self._listener.start()
        return self._local.seen(app_id)

    def wait(self, app_id: str, seen: int, timeout: float) -> None:
        self._local.wait(app_id, seen, timeout)

    def _listen(self) -> None:
        while True:
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:  # type: ignore[no-untyped-call]
                    subscription.psubscribe(CHANNEL + "*")
                    while True:
                        message = subscription.get_message(timeout=1.0)
                        if message:
                            self._local.notify(message["channel"].decode().removeprefix(CHANNEL))
            except redis.RedisError as error:
                log.warning("story signals are down: %s", error)
                time.sleep(1)
