from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.core import procfile
from paas.errors import InvalidInput


def test_parse_keeps_order_and_skips_comments() -> None:
    text = b"# processes\r\nweb: gunicorn app:app --bind 0.0.0.0:$PORT\n\n  worker : celery -A x worker\n"
    text += b"release: ./migrate: now\n"
    assert procfile.parse(text) == {
        "web": "gunicorn app:app --bind 0.0.0.0:$PORT",
        "worker": "celery -A x worker",
        "release": "./migrate: now",
    }


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"web gunicorn", "line 1"),
        (b"\nweb:", "line 2"),
        (b"Web: x", "line 1"),
        (b"web: a\nweb: b", "twice"),
        (b"-h: x", "line 1"),
        (b"web: a\0b", "NUL"),
        (b"", "names no process"),
        (b"# only\n", "names no process"),
        (b"\xff\xfe", "UTF-8"),
        (b"web: " + b"x" * procfile.MAX_BYTES, "larger"),
        (b"".join(b"p%d: x\n" % n for n in range(40)), "more than"),
    ],
)
def test_parse_refuses_and_says_where(content: bytes, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as caught:
        procfile.parse(content)
    assert caught.value.hint


@given(st.binary(max_size=200))
def test_parse_only_ever_raises_invalid_input(content: bytes) -> None:
    try:
        commands = procfile.parse(content)
    except InvalidInput:
        return
    assert all(commands.values())
