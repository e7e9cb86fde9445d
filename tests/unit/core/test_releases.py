from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.core import releases
from paas.core.names import AppId
from paas.core.releases import AwaitHealthy, DeploySpec, Drain, Event, Route, Start, State, Stop
from paas.drivers.memory import MemoryDriver
from paas.errors import Conflict
from tests.factories import make_spec

APP = AppId("a" * 32)


def bring_up(driver: MemoryDriver, spec: DeploySpec) -> list[type]:
    steps = releases.plan(spec, driver.observe(APP))
    for step in steps:
        driver.apply(APP, step)
    return [type(step) for step in steps]


def test_first_deploy_starts_waits_and_routes() -> None:
    driver = MemoryDriver()
    assert bring_up(driver, make_spec(web=2)) == [Start, Start, AwaitHealthy, AwaitHealthy, Route]
    assert [i.name for i in driver.observe(APP) if i.routed] == ["web.1", "web.2"]


def test_new_image_is_healthy_before_the_old_is_drained_and_stopped() -> None:
    driver = MemoryDriver()
    bring_up(driver, make_spec(1))
    assert bring_up(driver, make_spec(2)) == [Start, AwaitHealthy, Route, Drain, Stop]
    assert [i.release for i in driver.observe(APP)] == [2]


def test_scaling_keeps_the_running_instances() -> None:
    driver = MemoryDriver()
    image = "registry/apps/a@sha256:1"
    bring_up(driver, make_spec(1, web=1, image=image))
    assert bring_up(driver, make_spec(2, web=3, image=image)) == [Start, Start, AwaitHealthy, AwaitHealthy, Route]
    assert sorted((i.name, i.release) for i in driver.observe(APP)) == [("web.1", 1), ("web.2", 2), ("web.3", 2)]
    assert bring_up(driver, make_spec(3, web=1, image=image)) == [Route, Drain, Stop, Stop]


def test_scaling_to_zero_routes_to_nobody() -> None:
    driver = MemoryDriver()
    bring_up(driver, make_spec(1))
    assert bring_up(driver, make_spec(2, web=0)) == [Route, Drain, Stop]


def test_abandon_removes_only_what_the_failed_release_started() -> None:
    driver = MemoryDriver()
    bring_up(driver, make_spec(1))
    failed = make_spec(2)
    driver.apply(APP, releases.plan(failed, driver.observe(APP))[0])
    for step in releases.abandon(failed.release_id, driver.observe(APP)):
        driver.apply(APP, step)
    assert [(i.release, i.routed) for i in driver.observe(APP)] == [(1, True)]


COUNTS = st.integers(0, 4)
RELEASES = st.lists(st.tuples(st.integers(1, 3), COUNTS, COUNTS), min_size=1, max_size=6)


@given(RELEASES, st.integers(0, 12))
def test_plan_reaches_the_wanted_state_from_any_cut_off_deploy(history: list[tuple[int, int, int]], cut: int) -> None:
    driver = MemoryDriver()
    spec = make_spec()
    for number, (image, web, worker) in enumerate(history, start=1):
        spec = make_spec(number, web=web, worker=worker, image=f"registry/apps/a@sha256:{image}")
        for step in releases.plan(spec, driver.observe(APP))[:cut]:
            driver.apply(APP, step)
    bring_up(driver, spec)
    found = driver.observe(APP)
    wanted = {(p.type, n) for p in spec.processes for n in range(1, p.count + 1)}
    assert {(i.process, i.index) for i in found} == wanted
    assert len(found) == len(wanted)
    keys = {p.type: spec.key(p) for p in spec.processes}
    assert all(i.key == keys[i.process] for i in found)
    assert {i.id for i in found if i.routed} == {i.id for i in found if i.process == "web"}
    left = releases.plan(spec, driver.observe(APP))
    assert all(isinstance(step, Route) and not step.instance_ids for step in left)


@given(RELEASES)
def test_plan_never_leaves_a_routed_app_without_a_target(history: list[tuple[int, int, int]]) -> None:
    driver = MemoryDriver()
    for number, (image, web, worker) in enumerate(history, start=1):
        spec = make_spec(number, web=web + 1, worker=worker, image=f"registry/apps/a@sha256:{image}")
        had_target = any(i.routed for i in driver.observe(APP))
        for step in releases.plan(spec, driver.observe(APP)):
            driver.apply(APP, step)
            if had_target:
                assert any(i.routed and i.running for i in driver.observe(APP)), step


@pytest.mark.parametrize("state", [State.failed, State.superseded])
@pytest.mark.parametrize("event", list(Event))
def test_final_states_refuse_every_event(state: State, event: Event) -> None:
    with pytest.raises(Conflict):
        releases.advance(state, event)
