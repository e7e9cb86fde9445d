"""The queue's door: Celery carries ids to the workers, or they run inline.

A lost message is harmless: the database is the queue, and the sweep enqueues again. So enqueueing never
fails its caller, and nothing waits for results.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from paas.ports import JobName

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)
QUEUES = {JobName.builds_run: "build", JobName.releases_deploy: "deploy"}


def make_celery(broker: str) -> Celery:
    """The Celery object with the settings that this design needs (docs/decisions/0004-queue.md)."""
    from celery import Celery  # 45 MB: a process that never enqueues goes without

    celery = Celery("paas", broker=broker)
    celery.conf.update(
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=False,  # the lease, not the broker, brings lost work back
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 3600,
            "socket_timeout": 10,
            "socket_connect_timeout": 2,
            "max_retries": 1,
        },
        task_publish_retry=False,
        task_default_queue="default",
        timezone="UTC",
    )
    return celery


class CeleryJobs:
    """Sends ids through Redis."""

    def __init__(self, broker: str) -> None:
        self._celery = functools.cache(lambda: make_celery(broker))

    def enqueue(self, name: JobName, job_id: str) -> None:
        from kombu.exceptions import OperationalError

        try:
            self._celery().send_task(name.value, args=[job_id], queue=QUEUES[name], expires=300)
        except (OperationalError, OSError) as error:
            log.warning("%s %s is not enqueued, the sweep will: %s", name.value, job_id, error)


class InlineJobs:
    """Keeps the ids until somebody drains them in the same thread: for tests and tools without Redis."""

    def __init__(self) -> None:
        self.waiting: list[tuple[JobName, str]] = []

    def enqueue(self, name: JobName, job_id: str) -> None:
        if (name, job_id) not in self.waiting:
            self.waiting.append((name, job_id))
