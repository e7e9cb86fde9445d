"""Who may run what: the upstream cases of `--allowed-uids=1-`, which is always in force here."""

from __future__ import annotations

import pytest

from paas.errors import BuildFailed
from tests.conformance.s2i.fixtures import TOP, Case, Recipe

pytestmark = pytest.mark.integration


def refused(case: Case, recipe: Recipe) -> str:
    with pytest.raises(BuildFailed) as failed:
        case.build(recipe)
    assert case.kitchen.sandboxes.opened == 0
    return failed.value.reason


def test_allowed_uids_named_user(case: Case) -> None:
    assert refused(case, Recipe(user="keeper")) == "AssembleUserForbidden"


def test_allowed_uids_numeric_user(case: Case) -> None:
    case.is_as_built(case.build(Recipe(user="431")))


def test_allowed_uids_on_build_root_user(case: Case) -> None:
    for gap in (" ", "\t"):
        recipe = Recipe(on_build=(f"USER{gap}0", f"RUN{gap}touch {TOP}/on-build"))
        assert refused(case, recipe) == "OnBuildForbidden"


def test_allowed_uids_on_build_numeric_user(case: Case) -> None:
    recipe = Recipe(on_build=("USER 1001", f"RUN touch {TOP}/on-build"))
    case.is_as_built(case.build(recipe))


def test_allowed_uids_assemble_root(case: Case) -> None:
    recipe = case.user(Recipe(), "431", assemble_user="0")
    assert refused(case, recipe) == "AssembleUserForbidden"


def test_allowed_uids_assemble_user(case: Case) -> None:
    result = case.build(case.user(Recipe(), "1001", assemble_user="1001:0"))
    case.is_as_built(result)
