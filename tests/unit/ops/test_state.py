"""The state folder: closed to others, and its secrets never replaced in silence."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.errors import Conflict, InvalidInput
from paas.ops import down, state
from paas.settings import Settings


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: pytest's own is longer than a socket's path may be."""
    with tempfile.TemporaryDirectory(prefix="paas-state-") as made:
        yield Path(made) / "state"


def test_first_time_makes_all_and_the_second_nothing(folder: Path) -> None:
    settings = Settings(state=folder)
    name = state.prepare(settings)
    before = {path: path.read_bytes() for path in state.secret_files(settings)}
    assert state.prepare(settings) == name
    assert {path: path.read_bytes() for path in state.secret_files(settings)} == before
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all((folder / sub).stat().st_mode & 0o777 == 0o700 for sub in state.FOLDERS)
    assert state.secret_problems(settings) == []


def test_two_installations_have_nothing_in_common(folder: Path) -> None:
    one, other = Settings(state=folder / "a"), Settings(state=folder / "b")
    assert state.prepare(one) != state.prepare(other)
    for mine, theirs in zip(state.secret_files(one), state.secret_files(other), strict=True):
        assert mine.read_bytes() != theirs.read_bytes()


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("damage", ["missing", "empty", "readable"])
def test_damaged_secret_is_refused_by_name(folder: Path, number: int, damage: str) -> None:
    settings = Settings(state=folder)
    state.prepare(settings)
    path = state.secret_files(settings)[number]
    match damage:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case _:
            path.chmod(0o644)
    with pytest.raises(Conflict, match=path.name) as caught:
        state.prepare(settings)
    assert caught.value.hint


@pytest.mark.parametrize("path", ["relative", "/with blank", "/with;semicolon", "/" + "x" * 60, "/per%cent"])
def test_path_that_breaks_a_configuration_file_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="PAAS_STATE"):
        state.check_path(Path(path))


def test_clean_leaves_what_is_not_ours(folder: Path) -> None:
    settings = Settings(state=folder)
    state.prepare(settings)
    (folder / "paas.db").touch()
    (folder / "photo.jpg").touch()
    assert down.remove_state(folder) == ["photo.jpg"]
    assert [path.name for path in folder.iterdir()] == ["photo.jpg"]
    (folder / "photo.jpg").unlink()
    assert down.remove_state(folder) == []
    assert not folder.exists()
