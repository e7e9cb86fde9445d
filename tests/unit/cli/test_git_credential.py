from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from paas.cli import credentials, git, git_credential
from paas.cli.credentials import Server, Store
from tests.unit.cli.terminal import URL, Terminal


def ask(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, text: str, operation: str = "get") -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return terminal.run("git-credential", operation)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    store = Store().add(Server(URL, "ada", "paas_one")).add(Server("https://paas.example.org", "ada", "paas_two"))
    credentials.save(tmp_path / "paasctl" / "config.json", store)
    return Terminal(tmp_path, environment={})


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("protocol=http\nhost=paas.localhost:7480\n\n", "username=ada\npassword=paas_one\n"),
        ("protocol=http\nhost=PAAS.localhost:7480\npath=git/a/b\nusername=x\n", "username=ada\npassword=paas_one\n"),
        ("protocol=https\nhost=paas.example.org\n\n", "username=ada\npassword=paas_two\n"),
        ("protocol=https\nhost=paas.localhost:7480\n\n", ""),
        ("protocol=http\nhost=paas.localhost\n\n", ""),
        ("protocol=http\nhost=evil.example.org/paas.localhost:7480\n\n", ""),
        ("protocol=cert\npath=x\n\n", ""),
        ("capability[]=authtype\n\n", ""),
        ("", ""),
    ],
)
def test_get_answers_for_known_servers_only(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: Any, asked: str, told: str
) -> None:
    assert ask(terminal, monkeypatch, asked) == 0
    assert capsys.readouterr().out == told
    assert terminal.seen == []


def test_token_of_the_environment_goes_to_its_server_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    terminal = Terminal(tmp_path)
    ask(terminal, monkeypatch, "protocol=https\nhost=elsewhere.example.org\n\n")
    assert capsys.readouterr().out == ""
    ask(terminal, monkeypatch, "protocol=http\nhost=paas.localhost:7480\n\n")
    assert capsys.readouterr().out == "username=token\npassword=paas_t\n"


def test_store_and_erase_change_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    before = terminal.session().store()
    asked = "protocol=http\nhost=paas.localhost:7480\nusername=ada\npassword=other\n\n"
    assert ask(terminal, monkeypatch, asked, "store") == 0
    assert ask(terminal, monkeypatch, asked, "erase") == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert f"paasctl login {URL}" in told.err
    assert terminal.session().store() == before


def test_parse_ends_at_the_blank_line() -> None:
    assert git_credential.parse(["a=b=c\n", "\n", "d=e\n"]) == {"a": "b=c"}


def test_helper_command_is_quoted_for_the_shell(tmp_path: Path) -> None:
    plain, spaced = tmp_path / "paasctl", tmp_path / "my tools" / "paasctl"
    spaced.parent.mkdir()
    plain.touch()
    spaced.touch()
    assert git.helper_command(str(plain)) == f"{plain} git-credential"
    assert git.helper_command(str(spaced)) == f"!'{spaced}' git-credential"
    fallback = git.helper_command("/x/main.py", python="/opt/py thon")
    assert fallback == "!'/opt/py thon' -P -m paas.cli.main git-credential"
