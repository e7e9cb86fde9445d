from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.core import names
from paas.errors import InvalidInput

NAMES = st.from_regex(names.GRAMMAR, fullmatch=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-a",
        "a-",
        "A",
        "1a",
        "a" * 41,
        "a_b",
        "a.b",
        "a b",
        "a\n",
        "ä",
        "a--b",
        "xn--a",
        "git",
        "www",
        "..",
        "$(id)",
    ],
)
def test_check_name_refuses(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        names.check_name(text, "app")
    assert caught.value.facts["field"] == "app"
    assert caught.value.hint


@pytest.mark.parametrize("text", ["a", "ab", "a1", "a-b", "a" * 40])
def test_check_name_accepts(text: str) -> None:
    assert names.check_name(text, "app") == text


@given(NAMES, NAMES)
def test_host_label_fits_a_dns_label(app: str, project: str) -> None:
    label = names.host_label(app, project)
    assert len(label) <= names.DNS_LABEL
    assert not label.endswith("-")


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_host_labels_with_a_hash_differ(one: tuple[str, str], other: tuple[str, str]) -> None:
    if one != other and min(len("-".join(one)), len("-".join(other))) > names.DNS_LABEL:
        assert names.host_label(*one) != names.host_label(*other)
