"""The builders that the platform has: `builders/NAME/builder.toml`, read once at the start.

A stranger adds a language by adding a folder; so a mistake in it is named with file and key, and an unknown key
is a mistake too.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paas.core import names
from paas.core.recipes import SUITE
from paas.errors import InvalidInput, NotFound

FILE = "builder.toml"
_MAX_BYTES = 64 * 1024
_KEYS: dict[str, frozenset[str]] = {
    "": frozenset({"name", "display-name", "version", "versions", "detect", "dependencies", "layers", "source"}),
    "detect": frozenset({"any", "unless", "version-files"}),
    "dependencies": frozenset({"files", "lock", "packages"}),
    "layers": frozenset({"dependencies"}),
    "source": frozenset({"copy", "assemble-if", "assemble-if-key"}),
}


_VERSION_KEYS = frozenset({"suite", "args"})
_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){0,2}")
_SUITE = re.compile(r"[a-z]{2,20}")


@dataclass(frozen=True)
class Version:
    """One version of a builder: which Debian it comes from, and what its Dockerfiles are told."""

    name: str
    suite: str = SUITE
    args: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Builder:
    """What a builder says about itself."""

    name: str
    display_name: str
    version: str
    """The default one; of a builder that was chosen for a source, the chosen one."""
    detect_any: tuple[str, ...]
    """One of these in a source makes it this builder's."""
    detect_unless: tuple[str, ...] = ()
    dependency_files: tuple[str, ...] = ()
    """All that its `assemble-dependencies` looks at; empty: it has no such step."""
    lock_files: tuple[str, ...] = ()
    dependency_paths: tuple[str, ...] = ()
    """Absolute paths of the image whose contents belong to the dependency layer."""
    copy: str = ""
    """Where the source goes as it is; empty: `assemble` must run for every source."""
    assemble_if: tuple[str, ...] = ()
    """Files that make `assemble` necessary all the same."""
    assemble_if_key: tuple[tuple[str, str], ...] = ()
    """The same for keys of a JSON or TOML file: (`package.json`, `scripts.build`)."""
    version_files: tuple[tuple[str, str], ...] = ()
    """What names the wanted version, the first that is there: (file, key in it; empty: the file is the version)."""
    versions: tuple[Version, ...] = ()
    """All there are; empty: only the default."""
    packages: str = ""
    """`python`: its `assemble-dependencies` tells what it installs, and large packages have layers of their own."""

    @property
    def repository(self) -> str:
        """Where the registry holds the build image; the tag is the version."""
        return f"builders/{self.name}"

    @property
    def run_repository(self) -> str:
        """Where the registry holds the run image, if there is one."""
        return f"builders/{self.name}-run"

    @property
    def label(self) -> str:
        """For people: `python:3.13`; a builder of one version is its name."""
        return f"{self.name}:{self.version}" if len(self.versions) > 1 else self.name

    def all_versions(self) -> tuple[Version, ...]:
        """The default one first."""
        first = [version for version in self.versions if version.name == self.version]
        others = [version for version in self.versions if version.name != self.version]
        return (*first, *others) or (Version(self.version),)

    def named(self, version: str) -> Version:
        """Raises NotFound that lists those that are."""
        for known in self.all_versions():
            if known.name == version:
                return known
        there = ", ".join(known.name for known in self.all_versions())
        raise NotFound(f"there is no {self.name} {version}", hint=f"There are: {there}.")


def load(folder: Path) -> dict[str, Builder]:
    """All builders of the folder by name. Raises InvalidInput naming file and key."""
    found = {}
    for path in sorted(folder.glob(f"*/{FILE}")):
        builder = parse(path.read_bytes(), f"{path.parent.name}/{FILE}")
        if builder.name != path.parent.name:
            raise _invalid(f"{path.parent.name}/{FILE}", "name", f"is {builder.name!r}, its folder is not")
        found[builder.name] = builder
    if not found:
        raise InvalidInput(f"no builder in {folder}", field="builders", hint=f"Expected folders with a {FILE}.")
    return found


def parse(content: bytes, file: str) -> Builder:
    """One builder.toml. Raises InvalidInput naming file and key."""
    if len(content) > _MAX_BYTES:
        raise InvalidInput(f"{file} is larger than {_MAX_BYTES} bytes", field=file)
    try:
        table = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{file} is not valid TOML: {error}", field=file) from None
    _check_keys(table, file)
    reader = _Reader(table, file)
    return Builder(
        name=reader.name(),
        display_name=reader.text("display-name"),
        version=reader.text("version"),
        detect_any=reader.texts("detect.any"),
        detect_unless=reader.texts("detect.unless"),
        dependency_files=reader.texts("dependencies.files"),
        lock_files=reader.texts("dependencies.lock"),
        packages=reader.packages(),
        dependency_paths=tuple(
            reader.absolute(path, "layers.dependencies") for path in reader.texts("layers.dependencies")
        ),
        copy=reader.absolute(reader.text("source.copy", required=False), "source.copy"),
        assemble_if=reader.texts("source.assemble-if"),
        assemble_if_key=tuple(reader.file_and_key(text) for text in reader.texts("source.assemble-if-key")),
        version_files=tuple(
            (name, key) for name, _, key in (text.partition(":") for text in reader.texts("detect.version-files"))
        ),
        versions=reader.versions(),
    )


@dataclass(frozen=True)
class _Reader:
    """Takes values out of the document, or says which is wrong."""

    table: Mapping[str, Any]
    file: str

    def text(self, key: str, *, required: bool = True) -> str:
        value = self._value(key, "" if not required else None)
        if not isinstance(value, str) or (required and not value.strip()):
            raise _invalid(self.file, key, "must be a text")
        return value

    def name(self) -> str:
        """An app's name may be reserved, a builder's never is: there is one called static."""
        name = self.text("name")
        if not names.GRAMMAR.fullmatch(name) or "--" in name:
            raise _invalid(self.file, "name", f"{name[:60]!r} is not 1 to 40 of a-z, 0-9 and single '-'")
        return name

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._value(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise _invalid(self.file, key, "must be a list of texts")
        return tuple(value)

    def packages(self) -> str:
        found = self.text("dependencies.packages", required=False)
        if found not in ("", "python"):
            raise _invalid(self.file, "dependencies.packages", f"is {found[:40]!r}; known is python")
        return found

    def absolute(self, path: str, key: str) -> str:
        if path and (not path.startswith("/") or ".." in path.split("/") or not path.strip("/")):
            raise _invalid(self.file, key, f"{path!r} must be an absolute path below /")
        return path.rstrip("/")

    def file_and_key(self, text: str) -> tuple[str, str]:
        file, colon, key = text.partition(":")
        if not (file and colon and key):
            raise _invalid(
                self.file, "source.assemble-if-key", f"{text!r} must be FILE:KEY, as package.json:scripts.build"
            )
        return file, key

    def versions(self) -> tuple[Version, ...]:
        """Of the `[versions."3.13"]` tables; the default must be one of them."""
        table = self._value("versions", {})
        assert isinstance(table, dict)
        found = tuple(self._version(name, value) for name, value in table.items())
        default = self.text("version")
        if found and default not in table:
            raise _invalid(self.file, "version", f"{default!r} is none of versions: {', '.join(table)}")
        if not _VERSION.fullmatch(default):
            raise _invalid(self.file, "version", f"{default[:40]!r} is not numbers and dots")
        return found

    def _version(self, name: str, value: object) -> Version:
        key = f"versions.{name}"
        if not _VERSION.fullmatch(name):
            raise _invalid(self.file, key, "is not numbers and dots")
        if not isinstance(value, dict) or value.keys() - _VERSION_KEYS:
            raise _invalid(self.file, key, f"must be a table of {', '.join(sorted(_VERSION_KEYS))}")
        suite, args = value.get("suite", SUITE), value.get("args", {})
        if not isinstance(suite, str) or not _SUITE.fullmatch(suite):
            raise _invalid(self.file, f"{key}.suite", "is no name of a Debian suite")
        if not isinstance(args, dict) or not all(isinstance(text, str) for text in args.values()):
            raise _invalid(self.file, f"{key}.args", "must be a table of texts")
        return Version(name, suite, args)

    def _value(self, key: str, default: object) -> object:
        table, _, name = key.rpartition(".")
        return (self.table.get(table, {}) if table else self.table).get(name, default)


def _check_keys(table: Mapping[str, Any], file: str) -> None:
    for section, known in _KEYS.items():
        part = table.get(section, {}) if section else table
        if not isinstance(part, dict):
            raise _invalid(file, section, "must be a table")
        for key in part.keys() - known:
            raise _invalid(file, f"{section}.{key}".strip("."), f"is unknown; known are {', '.join(sorted(known))}")


def _invalid(file: str, key: str, what: str) -> InvalidInput:
    return InvalidInput(f"{file}: {key} {what}", field=key, hint="See builders/README.md for the format.", file=file)
