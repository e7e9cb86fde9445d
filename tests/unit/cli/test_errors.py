from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import httpx
import pytest

from paas import errors
from paas.cli.errors import from_response, guard
from tests.unit.cli.terminal import Terminal, problem


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "invalid_input", 2),
        (404, "not_found", 3),
        (409, "conflict", 4),
        (401, "unauthenticated", 5),
        (403, "forbidden", 5),
        (422, "quota_exceeded", 6),
        (422, "build_failed", 50),
        (422, "deploy_failed", 70),
        (503, "unavailable", 75),
        (429, "too_many_attempts", 75),
        (500, "internal", 1),
    ],
)
def test_exit_code_of_a_problem(tmp_path: Path, capsys: Any, status: int, code: str, exit_code: int) -> None:
    terminal = Terminal(tmp_path, {"GET /whoami": problem(status, code, "it is so")})
    assert terminal.run("whoami") == exit_code
    assert capsys.readouterr().err == "Error: it is so\nHint: Do so.\n"


def test_every_error_of_the_tree_survives_the_way_over_http() -> None:
    for kind in errors.PaasError.__subclasses__():
        if kind.__module__ == errors.__name__ and kind not in (errors.LostLease, errors.Failed):
            answer = problem(kind.status, kind.code, "x")
            assert type(from_response(kind.status, answer.content)) is kind


@pytest.mark.parametrize(("status", "exit_code"), [(502, 75), (404, 3), (401, 5), (418, 1)])
def test_answer_of_a_proxy_counts_by_its_status(status: int, exit_code: int) -> None:
    assert from_response(status, b"<html>").exit_code == exit_code
    assert from_response(status, b"[1]").exit_code == exit_code


def test_field_is_named(tmp_path: Path, capsys: Any) -> None:
    answer = problem(400, "invalid_input", "must be short", field="builder")
    Terminal(tmp_path, {"GET /whoami": answer}).run("whoami")
    assert "Error: must be short (field: builder)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "broken", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("x")]
)
def test_platform_that_is_not_there_is_75_and_says_what_to_do(tmp_path: Path, capsys: Any, broken: Exception) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise broken

    assert Terminal(tmp_path, {"GET /whoami": answer}).run("whoami") == 75
    assert "Hint: " in capsys.readouterr().err


def test_not_logged_in_is_5(tmp_path: Path, capsys: Any) -> None:
    assert Terminal(tmp_path, environment={}).run("whoami") == 5
    assert "paasctl login" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nope"], ["apps", "nope"], ["logs", "-n", "x"], ["--nope"], []])
def test_wrong_command_line_is_2(tmp_path: Path, arguments: list[str]) -> None:
    assert Terminal(tmp_path).run(*arguments) == 2


def test_mistyped_command_gets_a_suggestion(tmp_path: Path, capsys: Any) -> None:
    Terminal(tmp_path).run("buids")
    assert "'builds'" in capsys.readouterr().err


def test_bug_is_told_in_short_and_shown_when_asked(tmp_path: Path, capsys: Any) -> None:
    terminal = Terminal(tmp_path, {"GET /whoami": {"unexpected": 1}})
    assert terminal.run("whoami") == 1
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert "--debug" in told
    assert terminal.run("--debug", "whoami") == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("cause", "code"), [(KeyboardInterrupt(), 130), (EOFError(), 2)])
def test_ctrl_c_is_quiet_and_an_ended_input_is_not(capsys: Any, cause: BaseException, code: int) -> None:
    def run() -> None:
        try:
            raise cause
        except (KeyboardInterrupt, EOFError):
            raise click.Abort from None

    assert guard(run, lambda: False) == code
    assert bool(capsys.readouterr().err) == (code == 2)


def test_what_a_server_says_cannot_command_the_terminal(tmp_path: Path, capsys: Any) -> None:
    Terminal(tmp_path, {"GET /whoami": problem(400, "invalid_input", "a\x1b[2Jb\rc")}).run("whoami")
    assert "\x1b" not in capsys.readouterr().err
