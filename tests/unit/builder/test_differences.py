from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder import differences


def lock(**versions: str) -> bytes:
    packages = {"": {"name": "app"}} | {f"node_modules/{name}": {"version": v} for name, v in versions.items()}
    return json.dumps({"lockfileVersion": 3, "packages": packages}).encode()


def uv(**versions: str) -> bytes:
    return "".join(f'[[package]]\nname = "{name}"\nversion = "{v}"\n' for name, v in versions.items()).encode()


@pytest.mark.parametrize(
    ("path", "old", "new", "told"),
    [
        ("requirements.txt", b"a==1\nflask==3.0.3\n", b"a==1\nflask==3.1.0\n", "line 2: flask==3.0.3 -> flask==3.1.0"),
        ("requirements.txt", b"a==1\n", b"a==1\nb==2\nc==3\n", "line 2: b==2 added (+1 more)"),
        ("requirements.txt", b"a==1\nb==2\n", b"a==1\n", "line 2: b==2 removed"),
        ("package-lock.json", lock(a="1.0.0"), lock(a="1.0.0", b="2.0.0"), "b 2.0.0 added"),
        ("web/package-lock.json", lock(a="1.0.0"), lock(a="1.1.0"), "a 1.0.0 -> 1.1.0"),
        ("package-lock.json", lock(a="1", b="1", c="1"), lock(), "a removed (+2 more)"),
        ("package-lock.json", b"{", b"[\n1]", "line 1: { -> [ (+1 more)"),
        ("uv.lock", uv(flask="3.0.0"), uv(flask="3.1.0"), "flask 3.0.0 -> 3.1.0"),
        (
            "Pipfile.lock",
            b'{"default": {"a": {"version": "==1"}}}',
            b'{"default": {"a": {"version": "==2"}}}',
            "a 1 -> 2",
        ),
        ("x.txt", b"\xff\n", b"\xfe\nb\n", "line 2: b added"),
    ],
)
def test_difference_is_told_as_a_person_would(path: str, old: bytes, new: bytes, told: str) -> None:
    assert str(differences.between(path, old, new)) == told


@given(st.binary(max_size=200), st.sampled_from(["requirements.txt", "uv.lock", "package-lock.json"]))
def test_same_bytes_have_no_difference(content: bytes, path: str) -> None:
    assert differences.between(path, content, content) is None


@given(
    st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(["requirements.txt", "uv.lock", "Pipfile.lock"])
)
def test_any_bytes_can_be_compared(old: bytes, new: bytes, path: str) -> None:
    found = differences.between(path, old, new)
    assert found is None or (found.text and found.more >= 0)


def test_long_lines_are_cut() -> None:
    found = differences.between("a.txt", b"x" * 500, b"y" * 500)
    assert found is not None
    assert len(found.text) < 200
