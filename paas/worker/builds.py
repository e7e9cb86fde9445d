"""Tasks on builds."""

from __future__ import annotations

from paas.actions import build_runs
from paas.worker.app import celery, guarded


@celery.task(name="builds.run")
def run(build_id: str) -> None:
    guarded(build_runs.run, build_runs.crash, build_id)
