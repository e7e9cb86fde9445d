"""Slows down guessing of passwords: per account and address, and at most a few costly hashes at a time.

In this process only; a restart forgets. An account alone never waits longer than `ACCOUNT_SECONDS`, so
that a stranger cannot lock its owner out.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from paas.errors import Unauthenticated, Unavailable
from paas.web.errors import TooManyAttempts

HASHES = 4
HASH_SECONDS = 10.0
MOST_KEYS = 10_000
FORGET_SECONDS = 3600.0
ACCOUNT_SECONDS = 5.0


@dataclass(frozen=True)
class _Pace:
    free: int
    longest: float


_PACES = {"pair": _Pace(5, 300.0), "address": _Pace(30, 60.0), "account": _Pace(30, ACCOUNT_SECONDS)}


class Attempts:
    """Who failed how often, and when last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self._hashes = threading.BoundedSemaphore(HASHES)

    @contextmanager
    def attempt(self, account: str, address: str) -> Iterator[None]:
        """Around one check of a password. Raises TooManyAttempts, Unavailable; counts an Unauthenticated."""
        keys = [("pair", f"{account[:100]}\n{address}"), ("address", address), ("account", account[:100])]
        wait = max(self._wait(key) for key in keys)
        if wait > 0:
            raise TooManyAttempts("too many failed logins", retry_after=int(wait) + 1, hint="Wait, then try again.")
        if not self._hashes.acquire(timeout=HASH_SECONDS):
            raise Unavailable("too many logins at once", retry_after=5, hint="Try again.")
        try:
            yield
        except Unauthenticated:
            self._count(keys)
            raise
        finally:
            self._hashes.release()
        with self._lock:
            self._failures.pop(keys[0], None)

    def _wait(self, key: tuple[str, str]) -> float:
        with self._lock:
            failures, last = self._failures.get(key, (0, 0.0))
        pace = _PACES[key[0]]
        if failures < pace.free:
            return 0
        return last + min(2.0 ** min(failures - pace.free, 20), pace.longest) - self._clock()

    def _count(self, keys: list[tuple[str, str]]) -> None:
        now = self._clock()
        with self._lock:
            for key in keys:
                failures, last = self._failures.pop(key, (0, now))
                self._failures[key] = (1 if now - last > FORGET_SECONDS else failures + 1, now)
            while len(self._failures) > MOST_KEYS:
                self._failures.popitem(last=False)
