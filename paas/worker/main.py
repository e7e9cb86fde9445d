"""The worker process: `python -m paas.worker.main`. Celery's own command line would cost 11 MB more.

Threads, not forks: the work waits for the engine and streams (docs/decisions/0004-queue.md).
"""

from __future__ import annotations

import sys

from paas.settings import load
from paas.worker import builds, releases, sweeps
from paas.worker.app import ALL_QUEUES, celery

SPARE = 6
"""Threads beyond what the limits of builds and deploys can fill: the four sweeps, which so never wait for them, and
two. A thread that never ran costs nothing."""

__all__ = ["builds", "celery", "releases", "sweeps"]


def main() -> int:
    """Run until told to stop; the exit code."""
    settings = load()
    worker = celery.Worker(
        pool="threads",
        concurrency=settings.build_concurrency + settings.deploy_concurrency + SPARE,
        queues=ALL_QUEUES,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
