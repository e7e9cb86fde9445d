"""Values that nobody may see."""

from __future__ import annotations

import base64
import io
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder.secrets import HIDDEN, Redactor, _patterns, scanned
from paas.errors import BuildFailed
from paas.oci.archive import Entry, Reader

TOKEN = "s3cr3t-t0ken/with+signs"


def test_values_are_hidden_in_all_their_usual_forms() -> None:
    redactor = Redactor([TOKEN])
    for form in (
        TOKEN,
        urllib.parse.quote(TOKEN, safe=""),
        base64.b64encode(TOKEN.encode()).decode(),
        base64.b64encode(f"user:{TOKEN}".encode()).decode(),
        base64.urlsafe_b64encode(f"ab:{TOKEN}:x".encode()).decode(),
    ):
        shown = redactor.text(f"Authorization: {form}; done")
        assert HIDDEN in shown, form
        assert form not in shown
        assert shown.endswith("; done")


def test_lines_of_a_long_value_are_hidden_one_by_one() -> None:
    key = "-----BEGIN KEY-----\nMIIabcdef\nMIIghijkl\n-----END KEY-----\n"
    redactor = Redactor([key])
    assert redactor.text("read MIIabcdef") == f"read {HIDDEN}"
    assert redactor.text("MIIghijkl") == HIDDEN


def test_short_values_are_left_alone() -> None:
    assert Redactor(["abc", ""]).text("abcabc") == "abcabc"


@given(st.text(min_size=4).filter(lambda v: len(v.strip()) >= 4 and v.strip() not in HIDDEN), st.text(), st.text())
def test_no_text_keeps_a_value(value: str, before: str, after: str) -> None:
    for part in [value.strip()]:
        assert part not in Redactor([value]).text(before.replace(part, "") + part).replace(HIDDEN, "")


def test_failures_are_hidden_as_a_whole() -> None:
    error = BuildFailed(f"x {TOKEN}", reason="R", stage="s", hint=TOKEN, last_lines=["a", TOKEN], exit_code=3)
    shown = Redactor([TOKEN]).error(error)
    assert TOKEN not in f"{shown.message}{shown.hint}{shown.facts}"
    assert (shown.reason, shown.stage, shown.facts["exit_code"]) == ("R", "s", 3)


class Trickle(io.BytesIO):
    """Gives few bytes at once."""

    def read(self, n: int | None = -1, /) -> bytes:
        return super().read(min(n or 0, 7))


def bodies(data: bytes, value: bytes = TOKEN.encode()) -> bytes:
    entry = Entry("opt/app/.npmrc", "file", 0o644, len(data))
    out = b""
    for _, body in scanned([(entry, Reader(Trickle(data), len(data)))], _patterns({"npm": value})):
        while piece := body.read(1000):
            out += piece
    return out


@pytest.mark.parametrize("at", range(20))
def test_file_with_a_value_is_named_wherever_it_lies(at: int) -> None:
    for form in (TOKEN.encode(), base64.b64encode(TOKEN.encode())):
        with pytest.raises(BuildFailed) as failed:
            bodies(b"x" * at + form + b"y" * 30)
        assert failed.value.reason == "SecretInImage"
        assert "/opt/app/.npmrc" in failed.value.message
        assert "npm" in failed.value.message
        assert TOKEN not in failed.value.message


@given(st.binary(max_size=300))
def test_other_files_pass_as_they_are(data: bytes) -> None:
    assert bodies(data) == data
