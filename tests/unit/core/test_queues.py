from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from paas.core import queues
from paas.core.queues import Caps, Item, Why


@st.composite
def lines(draw: st.DrawFn) -> tuple[list[Item], Caps]:
    """Any line that the rules themselves could have led to, and more."""
    caps = Caps(draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 3)))
    items = []
    for number in range(draw(st.integers(0, 20))):
        app = draw(st.integers(0, 6))
        items.append(
            Item(
                id=str(number), number=number, app=f"a{app}", project=f"p{app % 3}",
                running=draw(st.integers(0, 4)) == 0, parallel=app % 2 == 0, ready=draw(st.integers(0, 5)) > 0,
            )
        )  # fmt: skip
    return items, caps


@given(lines())
def test_choice_keeps_every_limit_and_wastes_nothing(line: tuple[list[Item], Caps]) -> None:
    items, caps = line
    chosen = queues.choose(items, caps)
    by_id = {item.id: item for item in items}
    assert len(set(chosen)) == len(chosen)
    running = [item for item in items if item.running] + [by_id[i] for i in chosen]
    for what, most in (("project", caps.per_project), ("app", caps.per_app)):
        before = Counter(getattr(item, what) for item in items if item.running)
        for name, count in Counter(getattr(item, what) for item in running).items():
            assert count <= max(most, before[name])
    assert len(running) <= max(caps.total, sum(item.running for item in items))
    for name in chosen:
        item = by_id[name]
        assert item.ready
        assert not item.running
        if not item.parallel:
            others = [other for other in items if other.app == item.app and other.id != item.id]
            assert not any(other.running or (other.number < item.number) for other in others)
    places = queues.places(items, caps)
    assert places.keys() == {item.id for item in items if not item.running}
    assert {name for name, place in places.items() if place.why is Why.now} == set(chosen)


@given(lines())
def test_positions_count_all_that_wait_once(line: tuple[list[Item], Caps]) -> None:
    items, caps = line
    places = queues.places(items, caps)
    waiting = [place for place in places.values() if place.why is not Why.now]
    assert len({place.position for place in waiting}) == len(waiting)
    assert all(1 <= place.position <= place.waiting == len(waiting) for place in waiting)
    for place in waiting:
        assert bool(place.behind) == (place.why in (Why.app, Why.project, Why.total))


def test_hundred_builds_of_one_project_delay_another_by_one_turn() -> None:
    many = [Item(f"m{n}", n, f"app{n}", "many", running=n == 0) for n in range(100)]
    one = Item("one", 1, "other", "few", running=False)
    caps = Caps(total=2, per_project=2)
    assert queues.choose([*many, one], caps) == ["one"]
    assert queues.places([*many, one], Caps(1, 1))["one"].position == 1


def test_own_limit_of_a_project_counts() -> None:
    items = [Item(str(n), n, f"a{n}", "p", running=False) for n in range(5)]
    assert len(queues.choose(items, Caps(5, 1, of_project={"p": 3}))) == 3
    assert queues.places(items, Caps(5, 1, of_project={"p": 3}))["4"].why is Why.project


@given(st.floats(0, 1e6))
def test_pauses_double_and_are_bounded(spent: float) -> None:
    assert 1.0 <= queues.pause(spent) <= 30.0
    assert queues.pause(spent + queues.pause(spent)) >= queues.pause(spent)
