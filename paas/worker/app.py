"""The Celery application; beat loads this module, the worker `paas.worker.main`. One platform per process.

The boundary of the workers. What a build or a release raises unexpectedly ends it in `actions.leases`, where its fence
is known; what comes from outside of that leaves the row as it is, and the sweep finds it.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from celery.signals import worker_ready

from paas import settings
from paas.errors import PaasError, Unavailable
from paas.jobs import QUEUES, make_celery

if TYPE_CHECKING:  # beat stays light
    from paas.actions.platform import Platform

log = logging.getLogger(__name__)
celery = make_celery(settings.load().broker)
celery.conf.beat_schedule = {
    "sweeps.recover": {"task": "sweeps.recover", "schedule": 3.0, "options": {"expires": 3}},
    "sweeps.repair": {"task": "sweeps.repair", "schedule": 10.0, "options": {"expires": 10}},
    "sweeps.tidy": {"task": "sweeps.tidy", "schedule": 60.0, "options": {"expires": 60}},
    "sweeps.forget": {"task": "sweeps.forget", "schedule": 3600.0, "options": {"expires": 600}},
}
ALL_QUEUES = ("default", *QUEUES.values())


@functools.cache
def platform() -> Platform:
    """This process's platform."""
    from paas.bootstrap import build_platform

    return build_platform(settings.load())


def run(action: Callable[[Platform, str], None], row_id: str) -> None:
    """Work on one row."""
    try:
        action(platform(), row_id)
    except Unavailable as error:
        log.warning("work on %s is left to the sweep: %s", row_id, error)


_turns = {name: threading.Lock() for name in ("recover", "repair", "tidy", "forget")}


def sweep(name: str, *verbs: Callable[[Platform], None]) -> None:
    """One sweep of each name at a time, or a slow one would take all threads; one verb's failure stops no other."""
    turn = _turns[name]
    if not turn.acquire(blocking=False):
        return
    try:
        for verb in verbs:
            try:
                verb(platform())
            except PaasError as error:
                log.warning("%s did not end, it comes again: %s", verb.__name__, error)
    finally:
        turn.release()


@worker_ready.connect
def _recover_at_start(**_: object) -> None:
    """A worker that comes back looks for lost work at once."""
    celery.send_task("sweeps.recover", expires=30)
