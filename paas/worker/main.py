"""What the worker process loads: the application with all its tasks."""

from __future__ import annotations

from paas.worker import builds, releases, sweeps
from paas.worker.app import celery

__all__ = ["builds", "celery", "releases", "sweeps"]
