"""Tasks on releases."""

from __future__ import annotations

from paas.actions import deploys
from paas.worker.app import celery, guarded


@celery.task(name="releases.deploy")
def deploy(release_id: str) -> None:
    guarded(deploys.deploy, deploys.crash, release_id)
