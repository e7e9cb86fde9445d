"""A pull that is watched."""

from __future__ import annotations

import pytest

from paas.drivers.docker.imports import Progress, Wish
from paas.errors import BuildFailed, LostLease


def progress(seconds: int = 60, check=lambda: None) -> Progress:
    return Progress(Wish("a", "projects/p/images", (), seconds, 1000), lambda line: None, check)


def downloading(layer: str, current: int, total: int | None) -> dict[str, object]:
    return {"status": "Downloading", "id": layer, "progressDetail": {"current": current, "total": total}}


def test_image_over_its_size_is_stopped_before_it_came() -> None:
    watched = progress()
    watched.watch(downloading("a", 0, 600))
    with pytest.raises(BuildFailed) as failed:
        watched.watch(downloading("b", 0, 600))
    assert failed.value.reason == "ImageTooLarge"


def test_image_that_does_not_say_its_size_is_stopped_by_what_came() -> None:
    watched = progress()
    watched.watch(downloading("a", 900, None))
    with pytest.raises(BuildFailed):
        watched.watch(downloading("a", 1100, None))


def test_cancelled_and_late_pulls_end() -> None:
    def cancelled() -> None:
        raise LostLease()

    with pytest.raises(LostLease):
        progress(check=cancelled).watch({"status": "Pulling"})
    with pytest.raises(BuildFailed, match="within -1 seconds"):
        progress(seconds=-1).watch({"status": "Pulling"})
