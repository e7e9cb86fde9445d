from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.core import build_settings
from paas.core.build_settings import Maxima
from paas.core.builds import BuildSettings, RunPolicy, Strategy
from paas.errors import InvalidInput

MOST = Maxima(timeout=7200, memory=4 << 30, cpus=4, disk=20 << 30)


def change(given: dict[str, Any], unset: list[str] | None = None, before: BuildSettings | None = None) -> BuildSettings:
    return build_settings.change(before or BuildSettings(), given, unset or [], MOST)


def test_texts_of_a_command_line_and_values_of_json_mean_the_same() -> None:
    text = change({"timeout": "30m", "memory": "3GiB", "cpus": "2", "incremental": "true", "strategy": "Dockerfile"})
    assert text == change(
        {"timeout": 1800, "memory": 3 << 30, "cpus": 2, "incremental": True, "strategy": "dockerfile"}
    )
    assert (text.strategy, text.timeout) == (Strategy.dockerfile, 1800)
    assert change({"run_policy": "seriallatestonly"}).run_policy is RunPolicy.serial_latest_only
    assert change({"test_command": "pytest -q"}).test_command == ("/bin/sh", "-c", "pytest -q")
    assert change({"test_command": ["pytest", "-q"]}).test_command == ("pytest", "-q")
    assert change({"runtime_artifacts": "/a:b, /c"}).runtime_artifacts == ("/a:b", "/c")


def test_keys_of_a_table_are_set_and_unset_one_by_one() -> None:
    both = change({"build_args.A": "1", "build_args.B": "2"})
    assert both.build_args == {"A": "1", "B": "2"}
    assert change({}, ["build_args.A"], both).build_args == {"B": "2"}
    assert change({}, ["build_args"], both) == BuildSettings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strategy", "magic"), ("context_dir", "/etc"), ("context_dir", "a/../../b"), ("run_policy", "x"),
        ("timeout", "soon"), ("timeout", -1), ("timeout", 7201), ("memory", "5GiB"), ("cpus", True), ("cpus", "5"),
        ("disk", "1 parsec"), ("keep_failed", 5000), ("environment", "x"), ("environment.1A", "x"),
        ("build_args.A", 1), ("target", "a b"), ("incremental", "maybe"), ("test_command", 5),
        ("dockerfile", "a\nb"), ("nonsense", "1"), ("strategy.x", "1"),
    ],
)  # fmt: skip
def test_mistake_is_named_by_its_field(name: str, value: object) -> None:
    with pytest.raises(InvalidInput) as error:
        change({name: value})
    assert str(error.value.facts["field"]).split(".")[0] in {name.split(".", maxsplit=1)[0], "config"}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "strategy": st.sampled_from(list(Strategy)),
            "timeout": st.integers(0, 7200),
            "context_dir": st.sampled_from(["", "a", "a/b"]),
            "build_args": st.dictionaries(st.from_regex(r"[A-Z]{1,5}", fullmatch=True), st.text("abc")),
            "test_command": st.lists(st.text("abc", min_size=1)),
            "incremental": st.booleans(),
        },
    )
)
def test_what_is_stored_is_read_back(given: dict[str, Any]) -> None:
    settings = change(given)
    stored = build_settings.plain(settings)
    assert build_settings.load(stored) == settings
    assert "timeout" not in stored or stored["timeout"] != 0
