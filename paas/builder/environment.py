"""`.s2i/environment`: variables that a source sets for its build and that stay in its image.

One `NAME=VALUE` a line, as S2I reads it: no quotes, no expansion; what is no such line is told and left out.
"""

from __future__ import annotations

from paas.core import names
from paas.errors import InvalidInput

FILE = ".s2i/environment"


def parse(content: bytes) -> tuple[dict[str, str], list[str]]:
    """The variables, and the lines that are none (`line 3`)."""
    variables: dict[str, str] = {}
    refused: list[str] = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if equals and _is_name(name.strip()) and "\0" not in value:
            variables[name.strip()] = value.strip()
        else:
            refused.append(f"line {number}")
    return variables, refused


def _is_name(text: str) -> bool:
    try:
        names.check_config_name(text)
    except InvalidInput:
        return False
    return True
