"""How much of something may come: a bucket that fills steadily and can be emptied at once. Pure."""

from __future__ import annotations

from dataclasses import dataclass

BURST_SECONDS = 10


@dataclass(frozen=True)
class Bucket:
    """What is left at a time (of a monotonic clock, in seconds)."""

    left: float
    at: float


def full(rate: int, now: float) -> Bucket:
    return Bucket(rate * BURST_SECONDS, now)


def take(bucket: Bucket, wanted: int, rate: int, now: float) -> tuple[int, Bucket]:
    """How many of the wanted may come now, and the bucket after them."""
    left = min(rate * BURST_SECONDS, bucket.left + max(0.0, now - bucket.at) * rate)
    granted = min(wanted, int(left))
    return granted, Bucket(left - granted, now)
