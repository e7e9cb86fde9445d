"""Bytes on their way to a client that may be slow or gone; the process that makes them never waits long for it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

MOST_BYTES = 1024 * 1024
PATIENCE = 30.0


class Relay:
    """A bounded queue from one thread to another. A reader that takes nothing for `PATIENCE` seconds is given up."""

    def __init__(self, most: int = MOST_BYTES, patience: float = PATIENCE) -> None:
        self._most, self._patience = most, patience
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._detached = False

    @property
    def is_detached(self) -> bool:
        return self._detached

    def put(self, piece: bytes) -> None:
        """Hand over, or drop where nobody reads any more."""
        with self._changed:
            while self._size >= self._most and not self._detached:
                if not self._changed.wait(self._patience):
                    self._detached = True
            if not self._detached:
                self._pieces.append(piece)
                self._size += len(piece)
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more comes."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def detach(self) -> None:
        """The reader is gone: what comes from now on is dropped."""
        with self._changed:
            self._detached = True
            self._pieces.clear()
            self._size = 0
            self._changed.notify_all()

    def __iter__(self) -> Iterator[bytes]:
        """The pieces as they come. Raises ConnectionError where the reader was given up."""
        while True:
            with self._changed:
                while not self._pieces and not self._ended and not self._detached:
                    self._changed.wait()
                if self._detached:
                    raise ConnectionError("the client took too long")
                if not self._pieces:
                    return
                piece = b"".join(self._pieces)
                self._pieces.clear()
                self._size = 0
                self._changed.notify_all()
            yield piece
