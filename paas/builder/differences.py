"""What differs between two versions of a file, in the words of a person: a package and its versions, or a line.

Lock files are read as what they are, so that an update of one package is one difference and not forty lines.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_TEXT = 80
_MAX_LINES = 20_000


@dataclass(frozen=True)
class Difference:
    """The first thing that differs, and how many more do."""

    text: str
    more: int = 0

    def __str__(self) -> str:
        return f"{self.text} (+{self.more} more)" if self.more else self.text


def between(path: str, old: bytes, new: bytes) -> Difference | None:
    """How a file changed; nothing where it did not, or where no person would see it."""
    if old == new:
        return None
    for read in (_READERS.get(path.rpartition("/")[2]), None):
        packages = (_packages(read, old), _packages(read, new)) if read else (None, None)
        if packages[0] is not None and packages[1] is not None:
            return _first(list(_of_packages(packages[0], packages[1])))
    return _first(list(_of_lines(_lines(old), _lines(new))))


def _first(found: list[str]) -> Difference | None:
    return Difference(found[0], len(found) - 1) if found else None


def _of_packages(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if before is None:
            yield f"{name} {after} added"
        elif after is None:
            yield f"{name} removed"
        else:
            yield f"{name} {before} -> {after}"


def _of_lines(old: list[str], new: list[str]) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=len(old) + len(new) > 2000)
    for kind, old_at, old_end, new_at, new_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        for step in range(max(old_end - old_at, new_end - new_at)):
            before = old[old_at + step] if old_at + step < old_end else None
            after = new[new_at + step] if new_at + step < new_end else None
            if before is None:
                yield f"line {new_at + step + 1}: {_cut(after)} added"
            elif after is None:
                yield f"line {old_at + step + 1}: {_cut(before)} removed"
            else:
                yield f"line {new_at + step + 1}: {_cut(before)} -> {_cut(after)}"


def _cut(text: str | None) -> str:
    plain = (text or "").strip()
    return plain if len(plain) <= MAX_TEXT else plain[: MAX_TEXT - 1] + "…"


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").splitlines()[:_MAX_LINES]


def _packages(read: Callable[[bytes], dict[str, str]], content: bytes) -> dict[str, str] | None:
    """Versions by name; nothing where the file is not what its name says."""
    try:
        return read(content)
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return None


def _npm(content: bytes) -> dict[str, str]:
    packages: dict[str, Any] = json.loads(content)["packages"]
    inner = ((path.rpartition("node_modules/")[2], entry) for path, entry in packages.items() if path)
    return {name: str(entry.get("version", "")) for name, entry in inner}


def _toml(content: bytes) -> dict[str, str]:
    """uv.lock, poetry.lock and Cargo.lock are alike."""
    return {entry["name"]: str(entry.get("version", "")) for entry in tomllib.loads(content.decode())["package"]}


def _pipenv(content: bytes) -> dict[str, str]:
    return {name: str(entry.get("version", "")).lstrip("=") for name, entry in json.loads(content)["default"].items()}


def _composer(content: bytes) -> dict[str, str]:
    return {entry["name"]: str(entry["version"]) for entry in json.loads(content)["packages"]}


_READERS: Mapping[str, Callable[[bytes], dict[str, str]]] = {
    "package-lock.json": _npm,
    "npm-shrinkwrap.json": _npm,
    "uv.lock": _toml,
    "poetry.lock": _toml,
    "Cargo.lock": _toml,
    "Pipfile.lock": _pipenv,
    "composer.lock": _composer,
}
