from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.cli import addresses
from paas.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://paas.localhost:7480", "http://paas.localhost:7480"),
        ("http://PAAS.localhost:7480/", "http://paas.localhost:7480"),
        ("paas.localhost:7480", "http://paas.localhost:7480"),
        ("paas.example.org", "https://paas.example.org"),
        ("https://paas.example.org:443/", "https://paas.example.org"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:7480", "http://[::1]:7480"),
    ],
)
def test_normalise(text: str, url: str) -> None:
    assert addresses.normalise(text) == url
    assert addresses.normalise(url) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://x",
        "http://",
        "http://a/b",
        "http://a?b",
        "http://u:p@a",
        "http://a b",
        "http://a:99999",
        "http://-a",
        "http://a\n.b",
        "http://a:x",
        "file:///etc/passwd",
        "http://a;b",
        "http://$(x)",
    ],
)
def test_normalise_refuses_what_is_no_platform(text: str) -> None:
    with pytest.raises(InvalidInput):
        addresses.normalise(text)


@pytest.mark.parametrize(
    ("host", "local"),
    [("a-b.apps.localhost", True), ("localhost", True), ("127.0.0.1", True), ("notlocalhost", False), ("a.org", False)],
)
def test_is_local(host: str, local: bool) -> None:
    assert addresses.is_local(host) is local


@given(st.text())
def test_segment_stays_one_segment(text: str) -> None:
    try:
        quoted = addresses.segment(text)
    except (InvalidInput, UnicodeEncodeError):
        return
    assert "/" not in quoted
    assert quoted not in ("", ".", "..")
