"""The scheduler process: `python -m paas.worker.beat SCHEDULE_FILE`."""

from __future__ import annotations

import sys

from paas.worker.app import celery


def main(schedule: str) -> None:
    """Send what is due until told to stop."""
    celery.Beat(schedule=schedule, loglevel="WARNING", quiet=True).run()


if __name__ == "__main__":
    main(sys.argv[1])
