"""`.dockerignore`: which files of a source the Dockerfile cannot see.

Go's `filepath.Match` name by name, `**` for any number of folders, `!` takes back, the last pattern that fits
decides; a folder that is left out takes what lies in it along unless a later pattern brings it back.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

from paas.errors import InvalidInput

FILE = ".dockerignore"
_MAX_PATTERNS = 1000


def parse(content: bytes) -> Callable[[str], bool]:
    """Whether a path is left out. Raises InvalidInput where there are too many patterns."""
    rules = [_rule(line) for line in content.decode("utf-8-sig", "surrogateescape").splitlines() if _counts(line)]
    if len(rules) > _MAX_PATTERNS:
        raise InvalidInput(f"{FILE} has more than {_MAX_PATTERNS} patterns", field=FILE, hint="Name folders instead.")

    def is_ignored(path: str) -> bool:
        ignored = False
        for pattern, takes_back in rules:
            if ignored == takes_back and pattern.match(path):
                ignored = not takes_back
        return ignored

    return is_ignored


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _rule(line: str) -> tuple[Pattern, bool]:
    text = line.strip()
    takes_back = text.startswith("!")
    return Pattern(text.removeprefix("!").strip()), takes_back


class Pattern:
    """A path with wildcards, matched name by name and without backtracking."""

    def __init__(self, text: str) -> None:
        names = [name for name in text.split("/") if name not in ("", ".")]
        self._parts = [None if name == "**" else re.compile(fnmatch.translate(_from_go(name))) for name in names]

    def match(self, path: str) -> int:
        """How many of the path's names the pattern covers, from the top; 0 where it does not fit."""
        at = self._closure({0})
        end = len(self._parts)
        for count, name in enumerate(path.split("/"), 1):
            following = {state for state in at if state < end and self._parts[state] is None}
            following |= {end for state in following if state == end - 1}
            for state in at:
                part = self._parts[state] if state < end else None
                if part is not None and part.match(name):
                    following.add(state + 1)
            at = self._closure(following)
            if end in at:
                return count
        return 0

    def _closure(self, states: set[int]) -> set[int]:
        """With what `**` for no folder at all leads to; at the end it stands for something."""
        found = set(states)
        for state in sorted(states):
            while state < len(self._parts) - 1 and self._parts[state] is None:
                state += 1  # noqa: PLW2901
                found.add(state)
        return found


def _from_go(name: str) -> str:
    """Go's `filepath.Match` in Python's spelling: `[^a]` is `[!a]`, and a backslash escapes."""
    name = re.sub(r"\\(.)", lambda found: f"[{found[1]}]" if found[1] in "*?[" else found[1], name, flags=re.DOTALL)
    return name.replace("[!", "[\\!").replace("[^", "[!")
