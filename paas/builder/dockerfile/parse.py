"""A Dockerfile's text as instructions.

The language is that of docs.docker.com/reference/dockerfile with here-documents and flags. Frontends that `# syntax=`
names are never fetched: what this file does not know is an error with its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from paas.errors import BuildFailed

STAGE = "detect"
_DIRECTIVE = re.compile(r"#\s*(syntax|escape|check)\s*=\s*(\S+)\s*", re.IGNORECASE)
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|$)")
_HEREDOC = re.compile(r"(?<![<\w])<<(-?)(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\2")
_NAMES = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
    "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
_WITH_HEREDOC = frozenset({"RUN", "COPY", "ADD"})
_WITH_FLAGS = frozenset({"RUN", "COPY", "ADD", "FROM", "HEALTHCHECK"})
_WITH_JSON = frozenset({"RUN", "COPY", "ADD", "CMD", "ENTRYPOINT", "SHELL", "VOLUME"})
_MAX = 2000
"""Instructions."""


@dataclass(frozen=True)
class Heredoc:
    """A file in the Dockerfile."""

    name: str
    body: str
    expands: bool
    """False: its name was quoted, variables stay as they are."""


@dataclass(frozen=True)
class Instruction:
    """One of them."""

    name: str
    text: str
    """What follows the name and the flags."""
    line: int
    flags: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] | None = None
    """The list, where it was written as JSON."""
    heredocs: tuple[Heredoc, ...] = field(default=())

    def flag(self, name: str, default: str = "") -> str:
        """The last value of a flag."""
        return dict(self.flags).get(name, default)

    @property
    def shown(self) -> str:
        """For people, on one line."""
        flags = "".join(f"--{name}={value} " for name, value in self.flags)
        return f"{self.name} {flags}{' '.join(self.text.split())}".strip()


@dataclass(frozen=True)
class Parsed:
    """A whole file."""

    instructions: tuple[Instruction, ...]
    escape: str
    syntax: str
    """The frontend that it asked for."""


def parse(content: bytes) -> Parsed:
    """The instructions of a Dockerfile. Raises BuildFailed naming the line."""
    lines = content.decode("utf-8-sig", "replace").replace("\r\n", "\n").split("\n")
    directives = _directives(lines)
    escape = directives.get("escape", "\\")
    if escape not in ("\\", "`"):
        raise invalid(1, "escape is a backslash or a backtick")
    found = tuple(_instructions(lines, escape))
    if len(found) > _MAX:
        raise invalid(found[_MAX].line, f"more than {_MAX} instructions")
    if not found:
        raise invalid(1, "it has no instruction")
    return Parsed(found, escape, directives.get("syntax", ""))


def parse_line(text: str, line: int) -> Instruction:
    """One instruction as ONBUILD keeps it."""
    return _instruction(text, line, ())


def invalid(line: int, what: str) -> BuildFailed:
    """A Dockerfile that cannot be used."""
    return BuildFailed(
        f"Dockerfile, line {line}: {what}",
        reason="InvalidDockerfile",
        stage=STAGE,
        hint="Correct this line.",
    )


def _directives(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        match = _DIRECTIVE.fullmatch(line.strip())
        if not match or match[1].lower() in found:
            break
        found[match[1].lower()] = match[2]
    return found


def _instructions(lines: list[str], escape: str) -> Iterator[Instruction]:
    at = 0
    while at < len(lines):
        start = at + 1
        if not lines[at].strip() or lines[at].lstrip().startswith("#"):
            at += 1
            continue
        text, at = _joined(lines, at, escape)
        name = text.lstrip().partition(" ")[0].upper()
        heredocs, at = _heredocs(text, lines, at, start) if name in _WITH_HEREDOC else ((), at)
        yield _instruction(text, start, heredocs)


def _joined(lines: list[str], at: int, escape: str) -> tuple[str, int]:
    """A line with those that continue it; comments and empty lines between them do not count."""
    text = ""
    while at < len(lines):
        line = lines[at]
        at += 1
        if text and (line.lstrip().startswith("#") or not line.strip()):
            continue
        bare = line.rstrip()
        if not bare.endswith(escape):
            return text + line, at
        text += bare[:-1]
    return text, at


def _heredocs(text: str, lines: list[str], at: int, start: int) -> tuple[tuple[Heredoc, ...], int]:
    found = []
    for strip, quote, name in _HEREDOC.findall(text):
        body = []
        while True:
            if at >= len(lines):
                raise invalid(start, f"the here-document {name} has no end")
            line = lines[at].lstrip("\t") if strip else lines[at]
            at += 1
            if line == name:
                break
            body.append(line + "\n")
        found.append(Heredoc(name, "".join(body), expands=not quote))
    return tuple(found), at


def _instruction(text: str, line: int, heredocs: tuple[Heredoc, ...]) -> Instruction:
    name, _, rest = text.strip().partition(" ")
    if "\t" in name:
        name, _, more = name.partition("\t")
        rest = f"{more} {rest}"
    name, rest = name.upper(), rest.strip()
    if name not in _NAMES:
        raise invalid(line, f"there is no instruction {name[:40]!r}")
    if not rest:
        raise invalid(line, f"{name} says nothing")
    flags: list[tuple[str, str]] = []
    while name in _WITH_FLAGS and (match := _FLAG.match(rest)):
        flags.append((match[1], match[2] if match[2] is not None else "true"))
        rest = rest[match.end() :]
    return Instruction(name, rest, line, tuple(flags), _json(name, rest), heredocs)


def _json(name: str, text: str) -> tuple[str, ...] | None:
    if name not in _WITH_JSON or not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(found, list) and all(isinstance(word, str) for word in found)
    return tuple(found) if is_list else None
