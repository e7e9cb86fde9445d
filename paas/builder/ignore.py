"""`.s2iignore`: which files of a source do not belong to the app.

S2I's rules, not git's: a pattern is matched from the top of the source, `*` stops at a slash, a match takes all
that lies below it along, and `!` takes an earlier match back. `fnmatch` matches without backtracking, name by name.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence

from paas.errors import InvalidInput

FILE = ".s2iignore"
SLUG_FILE = ".slugignore"
"""Heroku's: counts where there is no `.s2iignore`, by the same rules."""
FILES = (FILE, SLUG_FILE)
_MAX_PATTERNS = 500

_Rule = tuple[Sequence[re.Pattern[str]], bool]


def content(files: Mapping[str, bytes]) -> bytes:
    """The rules of a source."""
    return files.get(FILE, files.get(SLUG_FILE, b""))


def parse(content: bytes) -> Callable[[str], bool]:
    """Whether a path of the source is left out. Raises InvalidInput where there are too many patterns."""
    lines = (line.strip() for line in content.decode("utf-8", "surrogateescape").splitlines())
    rules = [_parse_line(line) for line in lines if line and not line.startswith("#")]
    if len(rules) > _MAX_PATTERNS:
        raise InvalidInput(f"{FILE} has more than {_MAX_PATTERNS} patterns", field=FILE, hint="Name folders instead.")
    folders: dict[str, bool] = {"": False}

    def is_ignored(path: str) -> bool:
        if path not in folders:
            folders[path] = is_ignored(path.rpartition("/")[0]) or _verdict(rules, path.split("/"))
        return folders[path]

    return is_ignored


def _parse_line(line: str) -> _Rule:
    names = line.removeprefix("!").strip().strip("/").split("/")
    return [re.compile(fnmatch.translate(_from_go(name))) for name in names], not line.startswith("!")


def _verdict(rules: Sequence[_Rule], names: Sequence[str]) -> bool:
    """The last rule that matches decides."""
    for patterns, ignored in reversed(rules):
        if len(patterns) == len(names) and all(map(re.Pattern.match, patterns, names)):
            return ignored
    return False


def _from_go(name: str) -> str:
    """Go's `filepath.Match` in Python's spelling: `[^a]` is `[!a]`, and a backslash escapes."""
    name = re.sub(r"\\(.)", lambda found: f"[{found[1]}]" if found[1] in "*?[" else found[1], name, flags=re.DOTALL)
    return name.replace("[!", "[\\!").replace("[^", "[!")
