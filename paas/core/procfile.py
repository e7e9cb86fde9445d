"""The Procfile: `TYPE: COMMAND` lines (Heroku's format), read from an untrusted source.

Blank lines and `#` comments are skipped; a command runs by `/bin/sh -c` inside the instance only.
"""

from __future__ import annotations

from paas.core import names
from paas.errors import InvalidInput

MAX_BYTES = 64 * 1024
MAX_TYPES = 32


def parse(content: bytes) -> dict[str, str]:
    """Commands by process type, in the file's order. Raises InvalidInput naming the line."""
    if len(content) > MAX_BYTES:
        raise InvalidInput(f"Procfile is larger than {MAX_BYTES} bytes", field="Procfile", hint="Make it shorter.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("Procfile is not UTF-8", field="Procfile", hint="Save it as UTF-8.") from None
    commands: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            process, command = _parse_line(number, line)
            if process in commands:
                raise _error(number, f"process type {process!r} is there twice", "Keep one of them.")
            commands[process] = command
    if not commands:
        raise InvalidInput("Procfile names no process", field="Procfile", hint="Add a line such as: web: COMMAND")
    if len(commands) > MAX_TYPES:
        raise InvalidInput(f"Procfile has more than {MAX_TYPES} process types", field="Procfile", hint="Use fewer.")
    return commands


def _parse_line(number: int, line: str) -> tuple[str, str]:
    process, colon, command = line.partition(":")
    process, command = process.strip(), command.strip()
    if not colon or not command:
        raise _error(
            number, f"{line.strip()[:60]!r} is not 'TYPE: COMMAND'", "Write for example: web: gunicorn app:app"
        )
    if "\0" in command:
        raise _error(number, "the command has a NUL byte", "Remove it.")
    try:
        return names.check_name(process, "process type"), command
    except InvalidInput as error:
        raise _error(number, error.message, error.hint) from None


def _error(number: int, message: str, hint: str) -> InvalidInput:
    return InvalidInput(f"Procfile line {number}: {message}", field="Procfile", hint=hint, line=number)
