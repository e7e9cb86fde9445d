from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.git.terminal import MAX_BYTES, RESET, clean

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    ("given_text", "wanted"),
    [
        ("plain ü 🚀\ttab", "plain ü 🚀\ttab"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m" + RESET),
        ("\x1b[2Jgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10%\r20%\r", "20%"),
        ("a\x00b\x08c\x9bd", "abcd"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\ud800", "?"),
        ("", ""),
    ],
)
def test_line_keeps_text_and_colours_only(given_text: str, wanted: str) -> None:
    assert clean(given_text) == wanted


def test_line_is_cut_at_its_limit() -> None:
    assert len(clean("ü" * MAX_BYTES).encode()) <= MAX_BYTES


@given(st.text(st.characters() | st.sampled_from("\x1b[]m;0\r\n\x07"), max_size=60))
def test_no_line_moves_the_cursor(text: str) -> None:
    rest = COLOUR.sub("", clean(text))
    assert not [c for c in rest if unicodedata.category(c) == "Cc" and c != "\t"]
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029") & set(rest)
