"""The platform's own Procfile as programs with arguments: what a shell would make of it, without the shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from string import Template

from paas.core import procfile
from paas.errors import InvalidInput


def read(path: Path, environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Arguments by name, `${VARIABLE}` replaced. Raises InvalidInput for an unknown variable."""
    return {name: _words(name, line, environ) for name, line in procfile.parse(path.read_bytes()).items()}


def _words(name: str, line: str, environ: Mapping[str, str]) -> list[str]:
    try:
        return [Template(word).substitute(environ) for word in shlex.split(line)]
    except (KeyError, ValueError) as error:
        raise InvalidInput(f"Procfile: {name}: cannot be read: {error}", field="Procfile") from error
