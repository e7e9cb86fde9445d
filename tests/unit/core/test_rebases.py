from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.core import rebases
from paas.core.rebases import Decision, Part, State
from paas.errors import InvalidInput


@pytest.mark.parametrize(
    ("waves", "count", "sizes"),
    [
        ("1,5,25%", 40, [1, 5, 10, 10, 10, 4]),
        ("1", 3, [1, 1, 1]),
        ("100%", 7, [7]),
        ("10%", 5, [1, 1, 1, 1, 1]),
        ("3", 0, []),
    ],
)
def test_waves_grow_and_the_last_size_repeats(waves: str, count: int, sizes: list[int]) -> None:
    assert rebases.sizes(waves, count) == sizes


@pytest.mark.parametrize("waves", ["", "0", "a", "1,,2", "-1", "5 %", ",".join("1" * 21), "٣"])
def test_bad_size_names_the_field(waves: str) -> None:
    with pytest.raises(InvalidInput) as error:
        rebases.sizes(waves, 10)
    assert error.value.facts["field"] == "waves"


@given(st.integers(0, 300), st.sampled_from(["1", "1,5,25%", "2,50%", "100%"]))
def test_every_app_has_one_wave_and_waves_are_in_order(count: int, waves: str) -> None:
    found = rebases.assign(count, waves)
    assert len(found) == count
    assert found == sorted(found)
    assert sorted(set(found)) == list(range(1, len(set(found)) + 1))


PARTS = st.lists(st.tuples(st.integers(1, 4), st.sampled_from(Part)), max_size=12)


@given(PARTS, st.integers(0, 3))
def test_no_wave_starts_beside_another_or_after_too_many_failures(parts: list[tuple[int, Part]], most: int) -> None:
    decision = rebases.decide(parts, most)
    failed = sum(part is Part.failed for _, part in parts)
    if decision.wave:
        assert failed <= most
        assert not any(part is Part.deploying for _, part in parts)
        assert decision.wave == min(wave for wave, part in parts if part is Part.waiting)
    if decision.state is State.done:
        assert not any(part in (Part.waiting, Part.deploying) for _, part in parts)
    if decision.state is State.stopped:
        assert failed > most


def test_a_failure_in_the_canary_stops_all() -> None:
    parts = [(1, Part.failed), (2, Part.waiting)]
    assert rebases.decide(parts, 0) == Decision(State.stopped)
    assert rebases.decide(parts, 1) == Decision(State.running, 2)


@given(st.integers(1, 30), st.sampled_from(["1", "1,5,25%"]), st.sets(st.integers(0, 29)), st.integers(0, 3))
def test_it_always_ends(count: int, waves: str, bad: set[int], most: int) -> None:
    parts = [(wave, Part.waiting) for wave in rebases.assign(count, waves)]
    for _ in range(2 * count + 2):
        decision = rebases.decide(parts, most)
        if decision.state is not State.running:
            break
        for place, (wave, part) in enumerate(parts):
            if wave == decision.wave and part is Part.waiting:
                parts[place] = (wave, Part.failed if place in bad else Part.done)
    assert decision.state is not State.running
    assert (decision.state is State.stopped) == (sum(part is Part.failed for _, part in parts) > most)
