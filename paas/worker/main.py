"""The worker process: `python -m paas.worker.main`. Celery's own command line would cost 11 MB more.

Threads, not forks: the work waits for the engine and streams (docs/decisions/0004-queue.md).
"""

from __future__ import annotations

import sys

from paas.worker import builds, releases, sweeps
from paas.worker.app import ALL_QUEUES, celery

THREADS = 8

__all__ = ["builds", "celery", "releases", "sweeps"]


def main() -> int:
    """Run until told to stop; the exit code."""
    worker = celery.Worker(
        pool="threads",
        concurrency=THREADS,
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
