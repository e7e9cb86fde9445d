"""Python's dependency files: requirements files with what they nest, pyproject.toml, and the lock files.

A lock that describes the project itself (uv's `editable = "."`) is no obstacle: only its dependencies are
installed in the dependency step, the project comes with its source.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from paas.builder.inputs import requirements

_REQUIREMENTS = re.compile(r"(?:.*/)?[^/]*\.(?:txt|in)")
_LOCAL_IN_LOCK = re.compile(
    rb"""^source = \{ (?:editable|directory|path|virtual) = "(?!\." \})|^type = "(?:directory|file)\"""", re.MULTILINE
)
_LOCAL_TABLES = ("path", "editable", "directory", "workspace", "develop", "file")


def needs_source(files: Mapping[str, bytes]) -> str:
    """Why an installer would look beyond these files; empty if it would not."""
    for path, content in files.items():
        check = _CHECKS.get(path) or (_requirements_reason if _REQUIREMENTS.fullmatch(path) else None)
        if check is None:
            continue
        try:
            reason = check(path, content, files)
        except (ValueError, RecursionError, AttributeError, TypeError):
            reason = f"{path} could not be read"
        if reason:
            return reason
    return ""


def references(files: Mapping[str, bytes]) -> frozenset[str]:
    """Requirements files that these nest."""
    found: set[str] = set()
    for path, content in files.items():
        if _REQUIREMENTS.fullmatch(path):
            lines = _lines(content)
            found |= {requirements.nested_path(path, line) for line in lines if line.nested}
    return frozenset(path for path in found if not path.startswith(("..", "/")))


def are_pinned(files: Mapping[str, bytes]) -> bool:
    """Is each requirement held to one version, by itself or by another line?"""
    if not any(path in files for path in ("requirements.txt", "pyproject.toml", "Pipfile", "setup.py")):
        return True
    lines = [line for path, body in files.items() if _REQUIREMENTS.fullmatch(path) for line in _lines(body)]
    held = {line.name for line in lines if line.name and line.is_exact}
    wanted = [line for line in lines if not line.is_option or line.is_remote]
    return "requirements.txt" in files and all(line.is_exact or line.name in held for line in wanted)


def _lines(content: bytes) -> list[requirements.Line]:
    try:
        return requirements.parse(content)
    except UnicodeDecodeError:
        return []


def _requirements_reason(path: str, content: bytes, files: Mapping[str, bytes]) -> str:
    for line in requirements.parse(content):
        if line.needs_source:
            return f"{path} has a line that needs the source: {line.text[:60]}"
        if line.nested and requirements.nested_path(path, line) not in files:
            return f"{path} names {line.nested}, which is not a file of the source"
    return ""


def _pyproject_reason(path: str, content: bytes, files: Mapping[str, bytes]) -> str:
    document = tomllib.loads(content.decode())
    project, tool = document.get("project", {}), document.get("tool", {})
    dynamic = set(project.get("dynamic", ())) & {"dependencies", "optional-dependencies"}
    if dynamic:
        return f"{path} computes its {dynamic.pop()} when it is built"
    if "workspace" in tool.get("uv", {}):
        return f"{path} is a workspace"
    if any("file:" in text or re.search(r"@\s*[./]", text) for text in _texts(project)):
        return f"{path} names a dependency by its local path"
    local = _is_local(tool.get("uv", {}).get("sources")) or _is_local(tool.get("poetry"), skip=("packages", "include"))
    return f"{path} names a dependency by its local path" if local else ""


def _lock_reason(path: str, content: bytes, files: Mapping[str, bytes]) -> str:
    """By lines, as uv and poetry write them: parsing a lock of 300 kB would double the time of a whole build."""
    found = _LOCAL_IN_LOCK.search(content)
    return f"{path} locks a dependency to a local path" if found else ""


def _pipfile_reason(path: str, content: bytes, files: Mapping[str, bytes]) -> str:
    document = json.loads(content) if path.endswith(".lock") else tomllib.loads(content.decode())
    return f"{path} names a dependency by its local path" if _is_local(document) else ""


def _setup_reason(path: str, content: bytes, files: Mapping[str, bytes]) -> str:
    return f"{path} is a program that reads the source"


def _is_local(value: Any, skip: tuple[str, ...] = ()) -> bool:
    """Does a table inside name a path of the source?"""
    if isinstance(value, dict):
        return any(key in value and value[key] for key in _LOCAL_TABLES) or any(
            _is_local(inner, skip) for key, inner in value.items() if key not in skip
        )
    return isinstance(value, list) and any(_is_local(inner, skip) for inner in value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


_CHECKS: dict[str, Callable[[str, bytes, Mapping[str, bytes]], str]] = {
    "pyproject.toml": _pyproject_reason,
    "uv.lock": _lock_reason,
    "poetry.lock": _lock_reason,
    "Pipfile": _pipfile_reason,
    "Pipfile.lock": _pipfile_reason,
    "setup.py": _setup_reason,
    "setup.cfg": _setup_reason,
}
