from __future__ import annotations

import stat
from pathlib import Path

import pytest

from paas.cli import credentials, environment
from paas.cli.credentials import Server, Store
from paas.errors import InvalidInput

ADA = Server("http://a", "ada", "paas_secret", "1")


def no_warning(text: str) -> None:
    raise AssertionError(text)


def test_save_and_load_in_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "paasctl" / "config.json"
    store = Store().add(Server("http://b", "bob", "t")).add(ADA)
    credentials.save(path, store)
    assert credentials.load(path, no_warning) == store
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["config.json"]


def test_absent_file_is_an_empty_store(tmp_path: Path) -> None:
    assert credentials.load(tmp_path / "none", no_warning) == Store()


def test_file_that_others_can_read_is_closed_and_told(tmp_path: Path) -> None:
    path = tmp_path / "paasctl" / "config.json"
    credentials.save(path, Store().add(ADA))
    path.chmod(0o644)
    told: list[str] = []
    assert credentials.load(path, told.append).servers == {"http://a": ADA}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "644" in told[0]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"servers": {}}', '{"current": "", "servers": {"a": {"x": 1}}}'])
def test_broken_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidInput, match=r"config\.json") as raised:
        credentials.load(path, no_warning)
    assert "Remove it" in raised.value.hint


def test_removing_the_current_server_makes_another_current() -> None:
    store = Store().add(Server("http://b", "bob", "t")).add(ADA)
    assert store.current == "http://a"
    assert store.remove("http://a").current == "http://b"
    assert store.remove("http://b").current == "http://a"
    assert store.remove("http://a").remove("http://b") == Store()


def test_token_is_not_in_the_representation() -> None:
    assert "secret" not in repr(ADA)


def test_environment_is_read_in_one_place() -> None:
    found = environment.read({"XDG_CONFIG_HOME": "/x", "PAASCTL_TOKEN": " t\n", "PAASCTL_APP": "a/b", "DISPLAY": ":0"})
    assert found.config_file == Path("/x/paasctl/config.json")
    assert (found.token, found.app, found.has_browser, found.debug) == ("t", "a/b", True, False)
    relative = environment.read({"XDG_CONFIG_HOME": "x"})  # the XDG specification says to ignore it
    assert relative.config_file == Path("~/.config/paasctl/config.json").expanduser()
