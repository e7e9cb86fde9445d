"""What a source says about running it: Procfile and app.json, as process types with commands and health checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from paas.builder import messages
from paas.builder.source import SourceFiles
from paas.core import processes as checks
from paas.core import procfile
from paas.core.processes import HealthCheck
from paas.errors import InvalidInput

PROCFILE, APP_JSON = "Procfile", "app.json"
RELEASE = "release"
_COMPOUND = re.compile(r"[;&|<>(){}`\n]")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_ASSIGNMENTS = re.compile(r"([A-Za-z_][A-Za-z0-9_]*=[^\s'\"\\]*\s+)*")


@dataclass(frozen=True)
class Processes:
    """Argument lists by process type, the release phase apart."""

    commands: Mapping[str, tuple[str, ...]]
    release: tuple[str, ...]
    health: Mapping[str, HealthCheck]


def read(files: SourceFiles, run_script: str) -> Processes:
    """The source's processes; without a Procfile the builder's run script is `web`. Raises BuildFailed."""
    for path in (PROCFILE, APP_JSON):
        if path in files.links:
            raise messages.link_to_nothing(path, files.links[path])
    commands = _commands(files, run_script)
    release = commands.pop(RELEASE, ())
    if not commands:
        commands["web"] = (run_script,)
    return Processes(commands, release, health(files, commands))


def _commands(files: SourceFiles, run_script: str) -> dict[str, tuple[str, ...]]:
    if PROCFILE not in files.contents:
        return {"web": (run_script,)}
    try:
        parsed = procfile.parse(files.contents[PROCFILE])
    except InvalidInput as error:
        raise messages.invalid_file("InvalidProcfile", error) from error
    return {process: ("/bin/sh", "-c", launched(command)) for process, command in parsed.items()}


def launched(command: str) -> str:
    """The command, in place of the shell where it is a single one: SIGTERM must reach the program, not the shell."""
    if command.startswith("exec ") or _COMPOUND.search(command):
        return command
    found = _ASSIGNMENTS.match(command)
    assert found  # the pattern fits the empty text too
    program = command[found.end() :]
    return command if _ASSIGNMENT.match(program) else f"{found[0]}exec {program}"


def health(files: SourceFiles, commands: Mapping[str, tuple[str, ...]]) -> dict[str, HealthCheck]:
    """Of app.json, for the processes that there are. Raises BuildFailed."""
    if APP_JSON not in files.contents:
        return {}
    try:
        found = checks.parse_app_json(files.contents[APP_JSON])
    except InvalidInput as error:
        raise messages.invalid_file("InvalidAppJson", error) from error
    return {process: check for process, check in found.items() if process in commands}
