"""The Celery application; beat loads this module, the worker `paas.worker.main`. One platform per process.

The boundary of the workers: an unexpected error ends the build or the release with a reason and is logged.
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

if TYPE_CHECKING:  # beat stays light
    from paas.actions.platform import Platform

log = logging.getLogger(__name__)
celery = make_celery(settings.load().broker)
celery.conf.beat_schedule = {
    "sweeps.recover": {"task": "sweeps.recover", "schedule": 3.0, "options": {"expires": 3}},
    "sweeps.repair": {"task": "sweeps.repair", "schedule": 10.0, "options": {"expires": 10}},
    "sweeps.forget": {"task": "sweeps.forget", "schedule": 3600.0, "options": {"expires": 600}},
}
ALL_QUEUES = ("default", *QUEUES.values())


@functools.cache
def platform() -> Platform:
    """This process's platform."""
    from paas.bootstrap import build_platform

    return build_platform(settings.load())


def guarded(run: Callable[[Platform, str], None], crash: Callable[[Platform, str, str], None], row_id: str) -> None:
    """Run work on a row; what nobody expected becomes the row's failure."""
    try:
        run(platform(), row_id)
    except Unavailable as error:
        log.warning("work on %s is left to the sweep: %s", row_id, error)  # its lease runs out, nothing is lost
    except Exception as error:
        log.exception("work on %s failed unexpectedly", row_id)
        crash(platform(), row_id, f"the platform failed: {type(error).__name__}")


@worker_ready.connect
def _recover_at_start(**_: object) -> None:
    """A worker that comes back looks for lost work at once."""
    celery.send_task("sweeps.recover", expires=30)
