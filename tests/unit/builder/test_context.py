"""The folder of a monorepo that is the app."""

from __future__ import annotations

import pytest

from paas.builder import context
from paas.errors import BuildFailed
from paas.oci.archive import TarWriter
from tests.unit.builder.test_source import LIMITS, members, pack

FILES = {
    "README.md": b"all",
    "web/Dockerfile": b"FROM x",
    "web/lib/a.py": b"1",
    "web/lib/b.py": b"2",
    "web2/other": b"3",
    "tools/t": b"4",
}


def cut(files, folder: str) -> bytes:
    out = bytearray()
    context.write(lambda: [pack(files)], folder, LIMITS, TarWriter(out.extend))
    return bytes(out)


def test_the_folder_is_a_source_of_its_own() -> None:
    inner = {name.removeprefix("web/"): body for name, body in FILES.items() if name.startswith("web/")}
    assert cut(FILES, "web") == pack(inner)
    assert [member.name for member in members(cut(FILES, "web/lib"))] == ["a.py", "b.py"]


def test_what_lies_outside_changes_nothing() -> None:
    assert cut(FILES | {"README.md": b"new", "web2/more": b"5", "aaa": b"6"}, "web") == cut(FILES, "web")
    assert cut(FILES | {"web/lib/a.py": b"changed"}, "web") != cut(FILES, "web")


def test_links_inside_the_folder_stay() -> None:
    files = {"web/a": b"1", "web/d/soft": "../a", "web/hard": "=web/a"}
    assert cut(files, "web") == pack({"a": b"1", "d/soft": "../a", "hard": "=a"})


@pytest.mark.parametrize(
    "files",
    [
        {"web/a": b"1", "shared": b"2", "web/out": "../shared"},
        {"web/a": b"1", "aa": b"2", "web/hard": "=aa"},
        {"web/d/x": b"1", "web/up": "d/..", "web/out": "up/../shared", "shared": b""},
    ],
)
def test_links_that_leave_the_folder_are_refused(files) -> None:
    with pytest.raises(BuildFailed) as failed:
        cut(files, "web")
    assert failed.value.reason == "InvalidSource"
    assert "in web:" in failed.value.message
    assert failed.value.hint


@pytest.mark.parametrize(("folder", "word"), [("nope", "no folder"), ("README.md", "is a file"), ("we", "no folder")])
def test_absent_folder_is_told_with_those_that_are_there(folder: str, word: str) -> None:
    with pytest.raises(BuildFailed, match=word) as failed:
        cut(FILES, folder)
    assert failed.value.reason == "InvalidContextDirectory"
    if word == "no folder":
        assert "tools, web, web2" in failed.value.hint


@pytest.mark.parametrize("folder", ["..", "a/../b", "a\0b", "."])
def test_path_that_is_none_is_refused(folder: str) -> None:
    with pytest.raises(BuildFailed):
        context._normal(folder)
