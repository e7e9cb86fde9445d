"""Places for long answers (streams, runs, git), fewer than the server has threads: the API always has some left."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from paas.errors import Unavailable

TOTAL = 200
PER_USER = 60
PER_APP = 30


class Slots:
    """Counts who holds how many."""

    def __init__(self, total: int = TOTAL, per_user: int = PER_USER, per_app: int = PER_APP) -> None:
        self._total, self._per_user, self._per_app = total, per_user, per_app
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    def take(self, user_id: str, app: str) -> Callable[[], None]:
        """A place; the caller calls what it gets once or more when it is done. Raises Unavailable."""
        keys = {"": self._total, f"user {user_id}": self._per_user, f"app {app}": self._per_app}
        with self._lock:
            if any(self._held[key] >= most for key, most in keys.items()):
                raise Unavailable("too many streams are open", retry_after=10, hint="Close some, or try again.")
            self._held.update(keys.keys())
        return _Release(self._free, tuple(keys))

    def _free(self, keys: tuple[str, ...]) -> None:
        with self._lock:
            self._held.subtract(keys)
            for key in keys:
                if not self._held[key]:
                    del self._held[key]


class _Release:
    """Frees a place; the second call does nothing."""

    def __init__(self, free: Callable[[tuple[str, ...]], None], keys: tuple[str, ...]) -> None:
        self._free, self._keys = free, keys
        self._once = threading.Lock()

    def __call__(self) -> None:
        if self._once.acquire(blocking=False):
            self._free(self._keys)
