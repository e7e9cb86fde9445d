"""Sweeps take turns: one of each kind at a time, or a slow one that comes every few seconds would take all threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from paas.errors import PaasError

log = logging.getLogger(__name__)


class Turns:
    """Who is at work, by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: set[str] = set()

    def take(self, name: str, verbs: Sequence[Callable[[], None]]) -> bool:
        """Do all of them, unless another thread is at it; a part of the platform that is away stops only one verb."""
        with self._lock:
            if name in self._busy:
                return False
            self._busy.add(name)
        try:
            for verb in verbs:
                self._do(name, verb)
        finally:
            with self._lock:
                self._busy.discard(name)
        return True

    def _do(self, name: str, verb: Callable[[], None]) -> None:
        try:
            verb()
        except PaasError as error:
            log.warning("a part of the sweep %s did not end, it comes again: %s", name, error)
