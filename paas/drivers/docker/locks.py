"""A lock that holds across threads and processes of one machine, and ends with its holder.

Several workers deploy at the same time; choosing an address and changing the router are read-change-write.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paas.errors import Unavailable

_PAUSE = 0.01


@contextmanager
def held(path: Path, *, timeout: float = 60) -> Iterator[None]:
    """Hold the lock file. Raises Unavailable after the timeout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Its own open file each time: flock() belongs to the open file, so threads exclude each other too.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path, time.monotonic() + timeout)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Unavailable(f"another worker has held {path.name} for too long", retry_after=10) from None
            time.sleep(_PAUSE)
