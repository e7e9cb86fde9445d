"""The workers' edge: Celery tasks of at most five lines, and the schedule."""
