from __future__ import annotations

from pathlib import Path

import pytest

from paas.actions import apps, build_runs, builds, deploys, rebases, releases
from paas.actions.access import Actor
from paas.actions.builds import Push
from paas.actions.platform import Platform
from paas.actions.pushes import target
from paas.actions.rebases import RebaseInfo
from paas.core.rebases import Rebased
from paas.drivers.memory import MemoryDriver
from paas.errors import Conflict, Forbidden, NotFound
from paas.jobs import InlineJobs
from paas.ports import JobName
from tests.factories import make_app, make_platform, make_user

NAMES = [f"app{n}" for n in range(7)]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return make_platform(tmp_path)


@pytest.fixture
def admin(platform: Platform) -> Actor:
    return make_user(platform, "boss", is_admin=True)


@pytest.fixture
def live(platform: Platform, admin: Actor) -> list[str]:
    """Apps with a live release each."""
    for number, name in enumerate(NAMES):
        made = make_app(platform, admin, "shop", name)
        push = Push("sha256:" + f"{number:064x}", "refs/heads/main", "c" * 40, "ada", "first")
        builds.start(platform, admin, made, push)
    drain(platform)
    return NAMES


def drain(platform: Platform) -> None:
    """Do all that is queued."""
    assert isinstance(platform.jobs, InlineJobs)
    verbs = {JobName.builds_run: build_runs.run, JobName.releases_deploy: deploys.deploy}
    while platform.jobs.waiting:
        name, row_id = platform.jobs.waiting.pop(0)
        verbs[name](platform, row_id)


def to_end(platform: Platform, admin: Actor) -> RebaseInfo:
    for _ in range(30):
        rebases.advance_all(platform)
        rebases.advance_all(platform)  # at any time, twice
        drain(platform)
        found = rebases.get(platform, admin, None)
        if found.state != "running":
            return found
    raise AssertionError("it does not end")


def newest(platform: Platform, admin: Actor, name: str) -> releases.ReleaseInfo:
    return releases.list_all(platform, admin, "shop", name, None, 1)[0]


def test_one_app_gets_one_release_on_the_new_base(platform: Platform, admin: Actor, live: list[str]) -> None:
    before = newest(platform, admin, "app0")
    made = rebases.rebase_app(platform, admin, "shop", "app0")
    drain(platform)
    after = newest(platform, admin, "app0")
    assert made is not None
    assert (after.number, after.trigger, after.state) == (before.number + 1, "rebase", "live")
    assert after.image == f"{before.image}-2"
    assert rebases.rebase_app(platform, admin, "shop", "app0") is None


def test_app_without_release_says_so(platform: Platform, admin: Actor) -> None:
    make_app(platform, admin, "shop", "fresh")
    with pytest.raises(Conflict):
        rebases.rebase_app(platform, admin, "shop", "fresh")


def test_all_apps_move_in_waves_and_none_twice(platform: Platform, admin: Actor, live: list[str]) -> None:
    rebases.start(platform, admin, "", "1,2,50%", 0, is_dry=False)
    found = to_end(platform, admin)
    assert (found.state, found.counts) == ("done", {"done": 7})
    assert sorted(part.wave for part in found.apps) == [1, 2, 2, 3, 3, 3, 4]
    assert all(newest(platform, admin, name).number == 2 for name in live)
    rebases.start(platform, admin, "", "100%", 0, is_dry=False)
    again = to_end(platform, admin)
    assert again.counts == {"skipped": 7}
    assert all(newest(platform, admin, name).number == 2 for name in live)


def test_no_wave_starts_before_the_one_ahead_has_ended(platform: Platform, admin: Actor, live: list[str]) -> None:
    rebases.start(platform, admin, "", "1,2", 0, is_dry=False)
    rebases.advance_all(platform)
    rebases.advance_all(platform)
    assert rebases.get(platform, admin, None).counts == {"deploying": 1, "waiting": 6}


def test_too_many_failures_stop_the_rest(platform: Platform, admin: Actor, live: list[str]) -> None:
    driver = platform.driver()
    assert isinstance(driver, MemoryDriver)
    for name in live:
        app_id = target(platform, admin, "shop", name, write=False).app_id
        image = f"{newest(platform, admin, name).image}-2"
        driver.broken.add(apps.image_reference(platform.settings, app_id, image))
    rebases.start(platform, admin, "", "1,3", 0, is_dry=False)
    found = to_end(platform, admin)
    assert (found.state, found.counts) == ("stopped", {"failed": 1, "skipped": 6})
    canary = next(part for part in found.apps if part.state == "failed")
    assert apps.get(platform, admin, "shop", canary.app).release == "v1"


def test_what_cannot_move_is_skipped_with_its_reason(tmp_path: Path) -> None:
    def refuse(app_id: str, image: str) -> Rebased:
        raise Conflict("its image does not stand on one of the platform's builders")

    platform = make_platform(tmp_path)
    admin = make_user(platform, "boss", is_admin=True)
    object.__setattr__(platform, "rebase", refuse)
    made = make_app(platform, admin, "shop", "own")
    builds.start(platform, admin, made, Push("sha256:" + "1" * 64, "main", "c" * 40, "", ""))
    drain(platform)
    rebases.start(platform, admin, "", "1", 0, is_dry=False)
    found = to_end(platform, admin)
    assert [(part.state, part.message) for part in found.apps] == [
        ("skipped", "its image does not stand on one of the platform's builders")
    ]


def test_dry_run_changes_nothing(platform: Platform, admin: Actor, live: list[str]) -> None:
    told = rebases.start(platform, admin, "", "1,5,25%", 0, is_dry=True)
    assert len(told.apps) == 7
    with pytest.raises(NotFound):
        rebases.get(platform, admin, None)


def test_one_at_a_time_and_admins_only(platform: Platform, admin: Actor, live: list[str]) -> None:
    rebases.start(platform, admin, "", "1", 0, is_dry=False)
    with pytest.raises(Conflict):
        rebases.start(platform, admin, "", "1", 0, is_dry=False)
    with pytest.raises(Forbidden):
        rebases.start(platform, make_user(platform, "eve"), "", "1", 0, is_dry=False)


def test_builder_chooses_the_apps(platform: Platform, admin: Actor, live: list[str]) -> None:
    assert len(rebases.start(platform, admin, "python", "1", 0, is_dry=True).apps) == 7
    assert rebases.start(platform, admin, "ruby", "1", 0, is_dry=True).apps == []
