"""Settings that were chosen once count until something else is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from paas.errors import InvalidInput
from paas.ops import environment
from paas.settings import Settings


def test_kept_settings_count_later_and_the_caller_wins(tmp_path: Path) -> None:
    given = {"PAAS_STATE": str(tmp_path), "PAAS_PORT": "8080", "PAAS_DATABASE_URL": "postgresql://u:p'%\"@h/d b"}
    environment.keep(environment.read(given))
    later = environment.read({"PAAS_STATE": str(tmp_path)})
    assert later == environment.read(given)
    assert environment.read({"PAAS_STATE": str(tmp_path), "PAAS_PORT": "9090"}).port == 9090
    assert (tmp_path / "settings.env").stat().st_mode & 0o777 == 0o600


def test_defaults_are_not_kept_so_that_new_ones_count(tmp_path: Path) -> None:
    environment.keep(environment.read({"PAAS_STATE": str(tmp_path)}))
    assert (tmp_path / "settings.env").read_text() == f"PAAS_STATE={tmp_path}\n"


def test_unknown_setting_is_refused() -> None:
    with pytest.raises(InvalidInput, match="PAAS_PROT"):
        environment.read({"PAAS_PROT": "8080"})


def test_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.env").write_text("PAAS_PORT='80\n")
    with pytest.raises(InvalidInput, match=r"settings\.env"):
        environment.read({"PAAS_STATE": str(tmp_path)})


def test_environment_of_the_processes_means_the_same_settings() -> None:
    settings = Settings(port=1234, domain="apps.example.org")
    assert environment.read({**environment.as_environ(settings), "PAAS_STATE": "/nonexistent"}) == Settings(
        port=1234, domain="apps.example.org", state=Path("/nonexistent")
    )
