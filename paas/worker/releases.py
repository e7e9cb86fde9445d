"""Tasks on releases."""

from __future__ import annotations

from paas.actions import deploys
from paas.worker import app
from paas.worker.app import celery


@celery.task(name="releases.deploy")
def deploy(release_id: str) -> None:
    app.run(deploys.deploy, release_id)
