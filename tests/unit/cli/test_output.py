from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.cli import events, output
from tests.unit.cli.terminal import event


@given(st.text())
def test_clean_leaves_nothing_that_commands_a_terminal(text: str) -> None:
    cleaned = output.clean(text)
    assert not any((c < " " and c != "\t") or "\x7f" <= c <= "\x9f" for c in cleaned)
    assert output.clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain ü 漢", "plain ü 漢"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://e\x1b\\y", "xy"),
        ("a\x1b[2J\x1b[Hb\r\nc", "ab  c"),
        ("\x9b31mx", "31mx"),
        ("user\u202etxt", "user txt"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert output.clean(text).strip() == cleaned


def test_coloured_lines_keep_colours_and_nothing_else() -> None:
    assert output.clean_coloured("\x1b[31mred\x1b[2J") == "\x1b[31mred\x1b[0m"
    assert output.clean_coloured("plain") == "plain"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (1, "1 second ago"), (119, "1 minute ago"), (7200, "2 hours ago"), (-90000, "in 1 day")],
)
def test_ago(seconds: int, text: str) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    at = (now - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    assert output.ago(at, now) == text
    assert output.ago(None) == ""


def test_plain_table_is_aligned_and_never_cut() -> None:
    rows = [["a", "x" * 300], ["longer", ""]]
    lines = output.plain_table(("N", "V"), rows).split("\n")
    assert lines == ["N       V", f"a       {'x' * 300}", "longer"]


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**31, "2.0 GiB")])
def test_size(count: int, text: str) -> None:
    assert output.size(count) == text


def test_short_takes_digests_and_commits() -> None:
    assert output.short("x@sha256:" + "a" * 64) == "a" * 12
    assert output.short("0123456789abcdef") == "0123456789ab"
    assert output.short(None) == ""


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (event(1, "hello"), "2026-11-23T10:00:00Z app[web.1]: hello"),
        (event(1, "-----> Go", "build/12"), "2026-11-23T10:00:00Z build[12]: -----> Go"),
        (event(1, "failed", "release/3", "end"), "2026-11-23T10:00:00Z release[3]: (failed)"),
        (event(1, "ada scaled", "api"), "2026-11-23T10:00:00Z api: ada scaled"),
    ],
)
def test_render_event(told: dict[str, object], line: str) -> None:
    assert output.clean(events.render(told)) == line
