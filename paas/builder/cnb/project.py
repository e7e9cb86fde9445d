"""`project.toml` and `.buildpacks`: what a source says about the buildpacks that build it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paas.builder.cnb import environment, globs, messages, toml
from paas.builder.cnb.globs import LeftOut
from paas.errors import BuildFailed

FILE = "project.toml"
LIST = ".buildpacks"
ORDER = f"{LIST}/order.toml"
_SCHEMAS = ("0.1", "0.2")
_MAX = 100


@dataclass(frozen=True)
class Script:
    """An inline buildpack."""

    api: str
    shell: str
    inline: str


@dataclass(frozen=True)
class Item:
    """A buildpack that a source asks for."""

    id: str = ""
    version: str = ""
    uri: str = ""
    script: Script | None = None


@dataclass(frozen=True)
class Project:
    """What a source asks for; without `group` the platform's order counts."""

    group: tuple[Item, ...] = ()
    before: tuple[Item, ...] = ()
    after: tuple[Item, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def is_left_out(self) -> LeftOut:
        """Whether a path of the source is no part of the build."""
        if not self.include:
            return globs.git(self.exclude)
        taken = globs.git(self.include)

        def is_left_out(path: str, /, *, is_folder: bool = False) -> bool:
            return not taken(path, is_folder=is_folder)

        return is_left_out


def read(contents: Mapping[str, bytes]) -> Project:
    """Of the source's files. Raises BuildFailed naming file and key."""
    found = parse(contents[FILE]) if FILE in contents else Project()
    if found.group or LIST not in contents:
        return found
    return Project(parse_list(contents[LIST]), found.before, found.after, found.env, found.include, found.exclude)


def parse_list(content: bytes) -> tuple[Item, ...]:
    """`.buildpacks`: a path or `ID[@VERSION]` in each line."""
    lines = (line.strip() for line in content.decode("utf-8", "replace").splitlines())
    found = tuple(_listed(line) for line in lines if line and not line.startswith("#"))
    if len(found) > _MAX:
        raise messages.invalid_project(LIST, f"has more than {_MAX} lines")
    return found


def parse(content: bytes) -> Project:
    """`project.toml`."""
    try:
        table = toml.parse(content)
    except ValueError as error:
        raise messages.invalid_project(FILE, str(error)) from None
    schema = _table(table, "_").get("schema-version", "0.2" if "io" in table or "_" in table else "0.1")
    if schema not in _SCHEMAS:
        raise _wrong("_.schema-version", f"is {str(schema)[:20]!r}; known are {', '.join(_SCHEMAS)}")
    own = _table(_table(table, "io"), "buildpacks")
    if not own and schema == "0.1":
        own = _old(table)
    include, exclude = _texts(own, "include"), _texts(own, "exclude")
    if include and exclude:
        raise _wrong("io.buildpacks", "has both include and exclude")
    try:
        globs.git((*include, *exclude))
    except ValueError as error:
        raise _wrong("include and exclude", str(error)) from None
    return Project(
        _items(own, "group"),
        _items(_table(own, "pre"), "group"),
        _items(_table(own, "post"), "group"),
        _env(_table(own, "build")),
        include,
        exclude,
    )


def _old(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Schema 0.1 has everything in `[build]`."""
    build = _table(table, "build")
    renamed = {"group": build.get("buildpacks", []), "build": {"env": build.get("env", [])}}
    return {**renamed, **{key: build[key] for key in ("include", "exclude") if key in build}}


def _listed(line: str) -> Item:
    if "://" in line:
        raise messages.remote(line)
    name, at, version = line.partition("@")
    return Item(uri=line) if line.startswith((".", "/")) else Item(id=name, version=version if at else "")


def _items(table: Mapping[str, Any], key: str) -> tuple[Item, ...]:
    return tuple(_item(item) for item in _tables(table, key))


def _item(table: Mapping[str, Any]) -> Item:
    script = _table(table, "script")
    given = [key for key in ("version", "uri", "script") if table.get(key)]
    if len(given) > 1:
        raise _wrong("group", f"has {' and '.join(given)} for one buildpack; only one of them may stand")
    found = Item(
        _text(table, "id"),
        _text(table, "version"),
        _text(table, "uri"),
        _script(script) if script else None,
    )
    if not (found.id or found.uri or found.script):
        raise _wrong("group", "has a buildpack without id, uri or script")
    return found


def _script(table: Mapping[str, Any]) -> Script:
    found = Script(_text(table, "api"), _text(table, "shell") or "/bin/sh", _text(table, "inline"))
    if not found.api or not found.inline:
        raise _wrong("script", "needs api and inline")
    if not found.shell.startswith("/") or any(char in found.shell for char in "\n\0"):
        raise _wrong("script.shell", "must be an absolute path")
    return found


def _env(table: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for item in _tables(table, "env"):
        name, value = _text(item, "name"), _text(item, "value")
        if not environment.NAME.fullmatch(name) or name.startswith("CNB_"):
            raise _wrong("build.env", f"has the name {name[:60]!r}")
        found[name] = value
    return found


def _tables(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value) or len(value) > _MAX:
        raise _wrong(key, f"must be a list of at most {_MAX} tables")
    return value


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise _wrong(key, "must be a table")
    return value


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or "\0" in value:
        raise _wrong(key, "must be a text")
    return value


def _texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(key, "must be a list of texts")
    return tuple(value)


def _wrong(key: str, what: str) -> BuildFailed:
    return messages.invalid_project(FILE, f"{key} {what}")
