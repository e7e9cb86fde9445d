"""The help is part of the interface: `paasctl --help > tests/unit/cli/golden/help.txt` after a wanted change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from paas.cli.main import COMMANDS, cli
from tests.unit.cli.terminal import Terminal

ROOT = Path(__file__).parents[3]
READS = ("list", "info", "get", "whoami", "ps", "logs", "status", "version")


def leaves(command: click.Command, words: tuple[str, ...] = ("paasctl",)) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(words), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, (*words, name))


LEAVES = dict(leaves(cli))


def test_help_is_as_written_down(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert Terminal(tmp_path).run("--help") == 0
    assert capsys.readouterr().out == (Path(__file__).parent / "golden" / "help.txt").read_text(encoding="utf-8")


def test_every_command_is_documented_and_nothing_else() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### (paasctl .+)$", text, re.MULTILINE)) == sorted(LEAVES)


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_command_has_help(tmp_path: Path, capsys: Any, name: str) -> None:
    assert Terminal(tmp_path).run(*name.split()[1:], "--help") == 0
    assert capsys.readouterr().out.startswith(f"Usage: {name}")
    assert LEAVES[name].help
    assert all(p.help for p in LEAVES[name].params if isinstance(p, click.Option))


@pytest.mark.parametrize("name", sorted(name for name in LEAVES if name.split()[-1] in READS))
def test_command_that_reads_has_json(name: str) -> None:
    assert "--json" in {option for parameter in LEAVES[name].params for option in parameter.opts}


def test_commands_named_in_hints_and_docs_exist() -> None:
    files = [*(ROOT / "paas").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    named = {
        m for f in files for m in re.findall(r"`paasctl ([a-z][a-z-]*(?: [a-z-]+)?)", f.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    for words in named:
        first, _, second = words.partition(" ")
        assert first in COMMANDS, f"paasctl {words}"
        group = cli.get_command(click.Context(cli), first)
        if isinstance(group, click.Group) and second:
            assert second in group.commands, f"paasctl {words}"
