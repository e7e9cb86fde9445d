"""What beat asks for: lost work comes back, what drifted is repaired, old lines go, and a canary answers."""

from __future__ import annotations

from pathlib import Path

from paas.actions import apps, build_history, build_runs, deploy_queue, events, gc, logs, rebases, repairs
from paas.worker.app import celery, platform, sweep


@celery.task(name="sweeps.recover")
def recover() -> None:
    sweep("recover", build_runs.recover, deploy_queue.recover)


@celery.task(name="sweeps.rebase")
def rebase() -> None:
    sweep("rebase", rebases.advance_all)


@celery.task(name="sweeps.repair")
def repair() -> None:
    sweep("repair", repairs.repair_all)


@celery.task(name="sweeps.tidy")
def tidy() -> None:
    """What was cut off, and what the engine holds for nobody."""
    sweep("tidy", apps.finish_deletes, repairs.sweep, build_runs.sweep)


@celery.task(name="sweeps.collect")
def collect() -> None:
    sweep("collect", gc.collect_all)


@celery.task(name="sweeps.forget")
def forget() -> None:
    sweep("forget", events.forget_old, logs.forget_cursors, build_history.forget)


@celery.task(name="sweeps.canary")
def canary(word: str) -> None:
    """`paas doctor` asks: does a task reach a worker and run?"""
    path: Path = platform().settings.run_folder / "canary"
    path.write_text(word)
