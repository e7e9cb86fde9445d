from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.core import builds
from paas.core.builds import Event, State
from paas.errors import Conflict


@given(st.lists(st.sampled_from(Event)))
def test_no_sequence_of_events_leaves_a_final_state(sequence: list[Event]) -> None:
    state = State.queued
    for event in sequence:
        was_final = state.is_final
        try:
            state = builds.advance(state, event)
        except Conflict:
            continue
        assert not was_final


def test_only_a_running_build_succeeds() -> None:
    for state in State:
        if state is State.running:
            assert builds.advance(state, Event.succeed) is State.succeeded
        else:
            with pytest.raises(Conflict):
                builds.advance(state, Event.succeed)
