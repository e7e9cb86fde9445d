"""The Celery application; beat loads this module, the worker `paas.worker.main`. One platform per process.

The boundary of the workers. What a build or a release raises unexpectedly ends it in `actions.leases`, where its fence
is known; what comes from outside of that leaves the row as it is, and the sweep finds it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from celery.signals import worker_ready

from paas import settings
from paas.errors import Unavailable
from paas.jobs import QUEUES, make_celery
from paas.worker.turns import Turns

if TYPE_CHECKING:  # beat stays light
    from paas.actions.platform import Platform

log = logging.getLogger(__name__)
celery = make_celery(settings.load().broker)
_interval = settings.load().gc_interval
celery.conf.beat_schedule = {
    "sweeps.recover": {"task": "sweeps.recover", "schedule": 3.0, "options": {"expires": 3}},
    "sweeps.rebase": {"task": "sweeps.rebase", "schedule": 2.0, "options": {"expires": 2}},
    "sweeps.repair": {"task": "sweeps.repair", "schedule": 10.0, "options": {"expires": 10}},
    "sweeps.tidy": {"task": "sweeps.tidy", "schedule": 60.0, "options": {"expires": 60}},
    "sweeps.collect": {"task": "sweeps.collect", "schedule": max(3600.0, _interval), "options": {"expires": 600}},
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


_turns = Turns()


def sweep(name: str, *verbs: Callable[[Platform], None]) -> None:
    """One sweep of each name at a time."""
    _turns.take(name, [functools.partial(verb, platform()) for verb in verbs])


@worker_ready.connect
def _recover_at_start(**_: object) -> None:
    """A worker that comes back looks for lost work at once."""
    celery.send_task("sweeps.recover", expires=30)
