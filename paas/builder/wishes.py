"""What a source's files say about the version of its language: `.python-version`, `engines.node`, `go.mod`, …

Each file is read in its own form, by name; nothing is executed. A word that asks for no number (`lts/*`, `stable`)
is content with the default.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_MAX = 200
_PREFIX = re.compile(
    r"^(?:(?:c?python|pypy|ruby|node(?:js)?|go|java|jdk|openjdk|temurin|perl|php|rust)[-_ ]?)?v?(?=[0-9])", re.I
)
_ANYTHING = frozenset(
    {"", "*", "x", "latest", "stable", "current", "node", "lts", "lts/*", "lts/-1", "system", "default"}
)
_NODE_LTS = {"lts/hydrogen": "18", "lts/iron": "20", "lts/jod": "22", "lts/krypton": "24"}
_LEAST = frozenset({("go.mod", "go"), ("Cargo.toml", "package.rust-version")})
"""These name the oldest release that will do."""
_LEAST_FILES = frozenset({"pom.xml"})
"""A newer JDK compiles for an older one."""


@dataclass(frozen=True)
class Wish:
    """A version or a range, as its file writes it."""

    file: str
    text: str
    is_least: bool = False
    tilde_is_wide: bool = False
    """Composer's `~8.1` allows 8.2, npm's does not."""

    @property
    def is_anything(self) -> bool:
        return self.text.lower() in _ANYTHING


def read(files: Iterable[tuple[str, str]], contents: Mapping[str, bytes]) -> Wish | None:
    """The wish of the first file that has one."""
    for file, key in files:
        if file not in contents:
            continue
        text = _value(file, key, contents[file].decode("utf-8", "replace"))
        if text:
            is_least = (file, key) in _LEAST or file in _LEAST_FILES
            return Wish(file, normal(text), is_least, tilde_is_wide=file == "composer.json")
    return None


def normal(text: str) -> str:
    """Without the language's name, and Java 8 as people say it."""
    plain = text.strip().strip("\"'").strip()[:_MAX]
    plain = _NODE_LTS.get(plain.lower(), plain)
    plain = _PREFIX.sub("", plain)
    return re.sub(r"^1\.([5-8])(?![0-9])", r"\1", plain) if re.match(r"1\.[5-8](?:[._]|$)", plain) else plain


def _value(file: str, key: str, text: str) -> str:
    if not key:
        return _first_line(text)
    if file.endswith(".json"):
        return _dotted(_parsed(json.loads, text), key)
    if file.endswith(".toml") or file == "Pipfile":
        return _dotted(_parsed(tomllib.loads, text), key)
    if file.endswith(".xml"):
        found = re.search(rf"<{re.escape(key)}>\s*([^<]{{1,{_MAX}}}?)\s*</{re.escape(key)}>", text)
    elif file.endswith(".properties"):
        found = re.search(rf"^[ \t]*{re.escape(key)}[ \t]*[=:][ \t]*(\S+)", text, re.M)
    else:  # .tool-versions, go.mod, Gemfile, cpanfile
        found = re.search(rf"^[ \t]*{re.escape(key)}[ \t(]+[\"']?([~^<>=v]*[ ]?[0-9][^\"'#\n,)]*)", text, re.M)
    text = found[1].strip() if found else ""
    return text.partition(" ")[0] if file == ".tool-versions" else text


def _first_line(text: str) -> str:
    lines = (line.partition("#")[0].strip() for line in text.splitlines()[:50])
    return next((line for line in lines if line), "")


def _parsed(load: object, text: str) -> object:
    assert callable(load)
    try:
        return load(text)
    except (ValueError, RecursionError):
        return None


def _dotted(value: object, key: str) -> str:
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, dict):
        value = value.get("version")
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
