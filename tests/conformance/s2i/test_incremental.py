"""Incremental builds: what the last image's save-artifacts gives comes to the next assemble."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conformance.s2i.fixtures import ASSEMBLE, IN_IMAGE, RUN, SAVE, SCRIPTS, SOURCE, TOP, Case, Recipe

pytestmark = pytest.mark.integration
RESTORED = f"{TOP}/restored"


def test_incremental_build_and_remove_previous_image(case: Case) -> None:
    first = case.build(Recipe())
    second = case.again(Recipe(), first)
    case.kitchen.registry.delete_manifest(f"apps/{case.kitchen.app_id}", first.image)
    case.is_as_built(second)
    assert RESTORED in case.paths(second)
    assert "save-artifacts" in second.stages


def test_incremental_build_and_keep_previous_image(case: Case) -> None:
    first = case.build(Recipe())
    second = case.again(Recipe(), first)
    assert RESTORED in case.paths(second)
    assert RESTORED not in case.paths(first)
    case.is_as_built(first)


def test_incremental_build_user(case: Case) -> None:
    recipe = Recipe(user="431")
    second = case.again(recipe, case.build(recipe))
    assert case.kitchen.run(second.image, "cat", RESTORED, user="431:0") == "precious\n"


def test_incremental_build_scripts(case: Case) -> None:
    bare = Recipe(scripts={}, labels={})
    own = {f".s2i/bin/{name}": text for name, text in SCRIPTS.items()} | SOURCE
    second = case.again(bare, case.build(bare, own), own)
    assert RESTORED in case.paths(second)
    in_image = Recipe(scripts={"assemble": ASSEMBLE, "run": RUN, "save-artifacts": SAVE})
    assert RESTORED in case.paths(case.again(in_image, case.build(in_image)))


def test_incremental_build_scripts_no_save_artifacts(case: Case) -> None:
    without = Recipe(scripts={"assemble": ASSEMBLE, "run": RUN})
    second = case.again(without, case.build(without))
    case.is_as_built(second)
    assert RESTORED not in case.paths(second)
    assert any("A clean build: there is no save-artifacts script" in line for line in case.kitchen.lines)
    broken = replace(without, scripts={**without.scripts, "save-artifacts": "#!/bin/sh\necho no tar\nexit 3\n"})
    assert RESTORED not in case.paths(case.again(broken, second))
    assert IN_IMAGE in second.processes["web"][0]


def test_incremental_build_on_build(case: Case) -> None:
    recipe = Recipe(on_build=(f"RUN touch {TOP}/on-build",))
    second = case.again(recipe, case.build(recipe))
    assert f"{TOP}/on-build" in case.paths(second)
    assert RESTORED not in case.paths(second)
