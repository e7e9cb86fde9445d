"""An image's tag changes with all that the image is made of, and with nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from paas.ops import images
from paas.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "builders"
    shutil.copytree(Settings().builders, folder)
    return Settings(state=tmp_path, builders=folder)


def tags(settings: Settings) -> dict[str, str]:
    return {recipe.repository: recipe.tag for recipe in images.recipes(settings)}


def test_each_builder_has_a_build_and_a_run_image(settings: Settings) -> None:
    names = {"python", "nodejs", "static"}
    assert tags(settings).keys() == {f"builders/{name}{end}" for name in names for end in ("", "-run")}


def test_only_what_changed_is_made_again(settings: Settings) -> None:
    before = tags(settings)
    path = settings.builders / "python" / "s2i" / "bin" / "assemble"
    path.write_text(path.read_text() + "\n")
    after = tags(settings)
    assert {name for name in before if before[name] != after[name]} == {"builders/python", "builders/python-run"}


def test_mode_of_a_script_counts(settings: Settings) -> None:
    before = tags(settings)
    (settings.builders / "static" / "s2i" / "bin" / "assemble").chmod(0o644)
    assert tags(settings)["builders/static"] != before["builders/static"]


@pytest.mark.parametrize("name", ["README.md", "test/new.txt", "ca-bundle.crt"])
def test_what_is_in_no_image_does_not_count(settings: Settings, name: str) -> None:
    before = tags(settings)
    (settings.builders / "python" / name).write_text("other")
    assert tags(settings) == before


def test_another_base_or_index_makes_all_again(settings: Settings) -> None:
    before = tags(settings)
    for changed in (
        replace(settings, base_image="debian:trixie-slim"),
        replace(settings, pip_index_url="https://pypi.example.org/simple"),
    ):
        assert not set(tags(changed).values()) & set(before.values())


def test_public_base_is_used_where_it_is_named() -> None:
    def bases(settings: Settings) -> dict[str, str]:
        return {recipe.base.suite: recipe.base.tag for recipe in images.recipes(settings, "python python:3.11")}

    public = bases(Settings(base_image="docker.io/library/debian:trixie-slim"))
    assert public["bookworm"] == "docker.io/library/debian:bookworm-slim"
    assert bases(Settings())["trixie"].startswith("paas/debian:trixie-")
