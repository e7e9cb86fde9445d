"""The table of the buildpack specification's cases in the documentation and the tests are the same list."""

from __future__ import annotations

import re

from tests.meta.code import ROOT

TABLE = ROOT / "docs/reference/buildpacks.md"
TESTS = ROOT / "tests/conformance/cnb"


def test_each_case_of_the_table_is_a_test_and_each_test_is_in_the_table() -> None:
    listed = re.findall(r"^\| (test_\w+) \|.*\| pass \|$", TABLE.read_text(), re.MULTILINE)
    tests = [
        name for file in TESTS.glob("test_*.py") for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    ]
    assert len(listed) == len(set(listed))
    assert sorted(listed) == sorted(tests)
