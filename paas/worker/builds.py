"""Tasks on builds."""

from __future__ import annotations

from paas.actions import build_runs
from paas.worker import app
from paas.worker.app import celery


@celery.task(name="builds.run")
def run(build_id: str) -> None:
    app.run(build_runs.run, build_id)
