"""The table of S2I's cases in the documentation and the tests are the same list."""

from __future__ import annotations

import re

from tests.meta.code import ROOT

CASES = 26
TABLE = ROOT / "docs/reference/s2i.md"
TESTS = ROOT / "tests/conformance/s2i"
FILES = ("test_clean.py", "test_users.py", "test_incremental.py")


def snake(name: str) -> str:
    """`TestAllowedUIDsOnBuildRootUser` is `test_allowed_uids_on_build_root_user`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.replace("UIDs", "Uids").replace("URL", "Url")).lower()


def listed() -> list[str]:
    return re.findall(r"^\| (Test\w+) \|.*\| pass \|$", TABLE.read_text(), re.MULTILINE)


def test_each_upstream_case_has_a_test_and_a_line() -> None:
    tests = [
        name for file in FILES for name in re.findall(r"^def (test_\w+)", (TESTS / file).read_text(), re.MULTILINE)
    ]
    assert sorted(map(snake, listed())) == sorted(tests)
    assert len(tests) == len(set(tests)) == CASES


def test_names_are_turned_as_upstream_writes_them() -> None:
    assert snake("TestCleanBuildHttpScriptsURL") == "test_clean_build_http_scripts_url"
    assert snake("TestAllowedUIDsOnBuildRootUser") == "test_allowed_uids_on_build_root_user"
