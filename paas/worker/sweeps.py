"""What beat asks for: lost work comes back, what drifted is repaired, old lines go, and a canary answers."""

from __future__ import annotations

from pathlib import Path

from paas.actions import build_runs, deploys, events, repairs
from paas.worker.app import celery, platform


@celery.task(name="sweeps.recover")
def recover() -> None:
    build_runs.recover(platform())
    deploys.recover(platform())


@celery.task(name="sweeps.repair")
def repair() -> None:
    repairs.repair_all(platform())


@celery.task(name="sweeps.forget")
def forget() -> None:
    events.forget_old(platform())


@celery.task(name="sweeps.canary")
def canary(word: str) -> None:
    """`paas doctor` asks: does a task reach a worker and run?"""
    path: Path = platform().settings.run_folder / "canary"
    path.write_text(word)
