"""The lines of a requirements file, as pip's documentation names them, as far as caching needs to know.

Not a parser of versions: it sorts lines into options, requirements and what points into the source.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

_NESTED = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))(?P<path>\S+)")
_NAME = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?P<rest>.*)", re.DOTALL)
_EXACT = re.compile(r"===?\s*[^\s,*;]+\s*")
_ARCHIVE = re.compile(r"\.(?:whl|zip|tar|tgz|tar\.gz|tar\.bz2|tar\.xz)(?:\s|;|$)")
_FIXED_URL = re.compile(r"[#&]sha(?:256|384|512)=[0-9a-f]{64,128}|@[0-9a-f]{40}(?:#|\s|;|$)")
_LOCAL_OPTION = re.compile(r"(?:-e|--editable|-f|--find-links)(?:\s|=|(?<=-[ef]))\s*(?P<value>.*)")


@dataclass(frozen=True)
class Line:
    """One logical line without its comment."""

    text: str

    @property
    def nested(self) -> str:
        """The file that `-r` or `-c` names; a URL is none."""
        found = _NESTED.match(self.text)
        path = found["path"].strip("\"'") if found else ""
        return "" if "://" in path else path

    @property
    def is_remote(self) -> bool:
        """Does it take in a file whose contents nobody holds?"""
        return bool(_NESTED.match(self.text)) and not self.nested

    @property
    def is_option(self) -> bool:
        return self.text.startswith("-")

    @property
    def name(self) -> str:
        """The project's name in its normal form (PEP 503); empty where the line is a bare URL or path."""
        found = _NAME.match(self.text)
        if self.is_option or not found or not _is_after_name(found["rest"]):
            return ""
        return re.sub(r"[-_.]+", "-", found["name"]).lower()

    @property
    def needs_source(self) -> bool:
        """Does it point at something that is not in the requirements files?"""
        option = _LOCAL_OPTION.match(self.text)
        if option:
            return self.text.startswith(("-e", "--editable")) or "://" not in option["value"]
        if self.is_option:
            return "file:" in self.text
        requirement = self.text.split(" ;", 1)[0]
        if "file:" in requirement or re.search(r"@\s*[./~]", requirement):
            return True
        if "://" in requirement:
            return False
        return not self.name or "/" in requirement.split(";", 1)[0] or bool(_ARCHIVE.search(requirement))

    @property
    def is_exact(self) -> bool:
        """Does it allow one version only?"""
        if "--hash" in self.text or _FIXED_URL.search(self.text):
            return True
        found = _NAME.match(self.text)
        specifier = found["rest"].split(";", 1)[0].strip("() ") if found else ""
        return bool(_EXACT.fullmatch(specifier))


def parse(content: bytes) -> list[Line]:
    """The lines that say something. Raises UnicodeDecodeError."""
    return [Line(text) for text in _logical_lines(content.decode("utf-8-sig"))]


def nested_path(file: str, line: Line) -> str:
    """The nested file's path in the source; one that leads out starts with `..`."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), line.nested))


def _logical_lines(text: str) -> Iterator[str]:
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        bare = re.sub(r"(?:^|(?<=\s))#.*$", "", line).strip()
        if bare:
            yield bare


def _is_after_name(rest: str) -> bool:
    return not rest or rest[0] in "=<>!~;@(-"
