"""Progress as lines."""

from __future__ import annotations

import re

import pytest

from paas.errors import Unavailable
from paas.ops.steps import Steps


def test_step_tells_its_title_its_seconds_and_its_last_line() -> None:
    told: list[str] = []
    with Steps(told.append).step("Base image") as say:
        say("first")
        say("there already")
    assert told[0] == "-----> Base image"
    assert re.fullmatch(r" +0\.\d s  there already", told[1])


def test_step_that_fails_tells_no_end() -> None:
    told: list[str] = []
    with pytest.raises(Unavailable), Steps(told.append).step("Engine"):
        raise Unavailable("no")
    assert told == ["-----> Engine"]
