"""Two kinds of patterns: Go's for slices, git's for what a project leaves out or takes in. Both as plain regexes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

_MAX_PATTERN, _MAX_PATTERNS = 500, 500
_MAX_DEEP = 2
_CLASS = re.compile(r"\[(\^|!)?((?:\\.|[^\]\\])+)\]")


class LeftOut(Protocol):
    """Whether a path of the source is no part of the build."""

    def __call__(self, path: str, /, *, is_folder: bool = False) -> bool: ...


def go(pattern: str) -> re.Pattern[str]:
    """`filepath.Match`. Raises ValueError with the reason in words."""
    if len(pattern) > _MAX_PATTERN:
        raise ValueError("is too long")
    return re.compile("/".join(map(_translated, pattern.split("/"))), re.DOTALL)


def slice_of(paths: Sequence[str], app: str) -> Callable[[str], bool]:
    """Whether a path below the app folder is in a slice: it or a folder above it matches. Raises ValueError."""
    patterns = [go(_inside(path, app)) for path in paths[:_MAX_PATTERNS]]
    known: dict[str, bool] = {"": False}

    def matches(path: str) -> bool:
        if path not in known:
            above = path.rpartition("/")[0]
            known[path] = matches(above) or any(pattern.fullmatch(path) for pattern in patterns)
        return known[path]

    return matches


def git(patterns: Sequence[str]) -> LeftOut:
    """Whether a `.gitignore` of these lines names a path, or a folder above it. Raises ValueError."""
    if len(patterns) > _MAX_PATTERNS:
        raise ValueError(f"has more than {_MAX_PATTERNS} patterns")
    rules = [_rule(line.strip()) for line in patterns if line.strip() and not line.startswith("#")]
    folders: dict[str, bool] = {"": False}

    def named(path: str, /, *, is_folder: bool = False) -> bool:
        above = path.rpartition("/")[0]
        if above not in folders:
            folders[above] = named(above, is_folder=True)
        if folders[above]:
            return True
        found = False
        for pattern, only_folders, value in rules:
            if (is_folder or not only_folders) and pattern.fullmatch(path):
                found = value
        return found

    return named


def _rule(line: str) -> tuple[re.Pattern[str], bool, bool]:
    """The pattern, whether it is for folders only, and what a match says."""
    value, text = not line.startswith("!"), line.removeprefix("!")
    only_folders, text = text.endswith("/"), text.rstrip("/")
    is_anchored, text = "/" in text, text.lstrip("/")
    if not text or len(text) > _MAX_PATTERN:
        raise ValueError(f"has the pattern {line[:60]!r}")
    parts = []
    names = text.split("/")
    if names.count("**") > _MAX_DEEP:
        raise ValueError(f"has the pattern {line[:60]!r}, with too many **")
    for place, name in enumerate(names):
        if name == "**":
            parts.append(".*" if place == len(names) - 1 else "(?:.*/)?")
        else:
            parts.append(_translated(name) + ("/" if place < len(names) - 1 else ""))
    return re.compile(("" if is_anchored else "(?:.*/)?") + "".join(parts), re.DOTALL), only_folders, value


def _translated(pattern: str) -> str:
    """One name's pattern. What stands between two stars is found once and for all: no backtracking."""
    pieces: list[list[str]] = [[]]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        found = _CLASS.match(pattern, at) if char == "[" else None
        if char == "*":
            pieces.append([])
        elif char == "?":
            pieces[-1].append("[^/]")
        elif found:
            pieces[-1].append(_class(found, pattern))
            at = found.end() - 1
        elif char == "[" or (char == "\\" and at + 1 == len(pattern)):
            raise ValueError(f"has the pattern {pattern[:60]!r}")
        else:
            at += char == "\\"
            pieces[-1].append(re.escape(pattern[at]))
        at += 1
    fixed = ["".join(piece) for piece in pieces]
    if len(fixed) == 1:
        return fixed[0]
    middle = "".join(f"(?>[^/]*?{text})" for text in fixed[1:-1] if text)
    return f"{fixed[0]}{middle}[^/]*{fixed[-1]}"


def _class(found: re.Match[str], pattern: str) -> str:
    inner = re.sub(r"\\(.)", r"\1", found[2])
    escaped = "".join(char if char == "-" else re.escape(char) for char in inner)
    text = f"(?!/)[{'^' if found[1] else ''}{escaped}]"
    try:
        re.compile(text)
    except re.error:
        raise ValueError(f"has the pattern {pattern[:60]!r}") from None
    return text


def _inside(path: str, app: str) -> str:
    """Relative to the app folder. Raises ValueError where it leads out."""
    inner = path.removeprefix(f"{app}/") if path.startswith("/") else path
    parts = [part for part in inner.split("/") if part not in ("", ".")]
    if inner.startswith("/") or ".." in parts or not parts:
        raise ValueError(f"has the path {path[:60]!r}, which is not in the app's folder")
    return "/".join(parts)
