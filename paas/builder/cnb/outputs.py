"""What one buildpack's build left behind: its layers, processes, slices, labels and what the next build is told.

All of it is a stranger's. It comes as small files that were copied out of its folder (collecting.py), and what cannot
be used is the buildpack's failure, by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from paas.builder.cnb import environment, globs, messages, toml
from paas.builder.cnb.environment import LayerFiles

APP = "/workspace"
SBOMS = ("cdx.json", "spdx.json", "syft.json")
_TYPE = re.compile(r"[A-Za-z0-9._-]{1,100}")
_NOT_LAYERS = frozenset({"launch", "build", "store"})
_TYPES = frozenset({"launch", "build", "cache"})
_MAX_LIST = 1000


@dataclass(frozen=True)
class LayerOutput:
    """One layer, as its TOML describes it."""

    name: str
    launch: bool = False
    build: bool = False
    cache: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    has_content: bool = False
    files: LayerFiles = field(default_factory=lambda: LayerFiles(""))
    sboms: Mapping[str, bytes] = field(default_factory=dict)
    """By file extension."""

    @property
    def is_ignored(self) -> bool:
        return not (self.launch or self.build or self.cache)


@dataclass(frozen=True)
class Process:
    """A way to start the app."""

    type: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    default: bool = False
    folder: str = ""
    exec_env: tuple[str, ...] = ()
    buildpack: str = ""

    @property
    def is_for_production(self) -> bool:
        return not self.exec_env or not {"*", "production"}.isdisjoint(self.exec_env)

    def document(self) -> dict[str, Any]:
        """As the launcher and the labels have it, but for the buildpack's key."""
        found: dict[str, Any] = {"type": self.type, "command": list(self.command), "args": list(self.args)}
        found |= {"direct": True, "default": self.default}
        found |= {"working-dir": self.folder} if self.folder else {}
        return found | ({"exec-env": list(self.exec_env)} if self.exec_env else {})


@dataclass(frozen=True)
class Output:
    """Of one buildpack."""

    layers: tuple[LayerOutput, ...] = ()
    processes: tuple[Process, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    slices: tuple[tuple[str, ...], ...] = ()
    unmet: tuple[str, ...] = ()
    store: Mapping[str, Any] = field(default_factory=dict)
    sboms: Mapping[str, bytes] = field(default_factory=dict)
    """Of the launch, by file extension."""


def read(files: Mapping[str, bytes], folders: frozenset[str], root: str, name: str) -> Output:
    """The output in the folder `root`: its files and folders by their paths there. Raises BuildFailed."""
    reader = _Reader(name, files)
    launch = reader.document("launch.toml")
    layers = sorted(
        {path.removesuffix(".toml") for path in files if path.endswith(".toml") and "/" not in path}
        | {folder for folder in folders if "/" not in folder}
    )
    store = reader.document("store.toml").get("metadata", {})
    build = reader.document("build.toml")
    return Output(
        layers=tuple(
            _layer(reader, layer, files, folders, root)
            for layer in layers
            if layer not in _NOT_LAYERS or layer in folders
        ),
        processes=_processes(reader, launch),
        labels=_labels(reader, launch),
        slices=tuple(_slice(reader, item) for item in reader.tables(launch, "slices")),
        unmet=tuple(reader.text(item, "name") for item in reader.tables(build, "unmet")),
        store=store if isinstance(store, dict) else {},
        sboms=_sboms(files, "launch"),
    )


def combine(processes: Sequence[tuple[str, Sequence[Process]]]) -> tuple[tuple[Process, ...], str]:
    """All processes by buildpack in one list, later ones instead of earlier ones, and the default one's type."""
    found: dict[str, Process] = {}
    default = ""
    for buildpack, given in processes:
        for process in given:
            if process.type == default and not process.default:
                default = ""
            if process.default:
                default = process.type
            found[process.type] = replace(process, buildpack=buildpack)
    listed = tuple(replace(found[name], default=name == default) for name in sorted(found))
    return listed, default


def _layer(reader: _Reader, name: str, files: Mapping[str, bytes], folders: frozenset[str], root: str) -> LayerOutput:
    if name in _NOT_LAYERS or name in ("", ".", "..") or not name.isprintable():
        raise reader.wrong(f"a layer with the name {name[:60]!r}")
    document = reader.document(f"{name}.toml")
    types = reader.table(document, "types")
    stray = _TYPES & document.keys()
    if stray:
        raise reader.wrong(f"{name}.toml with {', '.join(sorted(stray))} outside of [types]")
    launch, build, cache = (reader.flag(types, key) for key in ("launch", "build", "cache"))
    head = f"{name}/"
    inside = frozenset(folder.removeprefix(head) for folder in folders if folder.startswith(head))
    variables = {
        path.removeprefix(head): reader.variable(path, body) for path, body in files.items() if path.startswith(head)
    }
    return LayerOutput(
        name,
        launch,
        build,
        cache,
        reader.table(document, "metadata"),
        has_content=name in folders,
        files=LayerFiles(f"{root}/{name}", inside & set(environment.FOLDERS), variables),
        sboms=_sboms(files, name),
    )


def _processes(reader: _Reader, launch: Mapping[str, Any]) -> tuple[Process, ...]:
    found: dict[str, Process] = {}
    for item in reader.tables(launch, "processes"):
        kind = reader.text(item, "type")
        if not _TYPE.fullmatch(kind) or kind in (".", ".."):
            raise reader.wrong(f"a process of the type {kind[:60]!r}")
        if kind in found:
            raise reader.wrong(f"two processes of the type {kind}")
        command = reader.texts(item, "command")
        if not command or not command[0]:
            raise reader.wrong(f"the process {kind} without a command")
        found[kind] = Process(
            kind,
            command,
            reader.texts(item, "args"),
            reader.flag(item, "default"),
            reader.text(item, "working-dir", required=False),
            reader.texts(item, "exec-env"),
        )
    if sum(process.default for process in found.values()) > 1:
        raise reader.wrong("more than one default process")
    return tuple(process for process in found.values() if process.is_for_production)


def _labels(reader: _Reader, launch: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in reader.tables(launch, "labels"):
        key = reader.text(item, "key")
        if key in found:
            raise reader.wrong(f"the label {key[:60]!r} twice")
        if key.startswith(("io.buildpacks.", "io.paas.")):
            raise reader.wrong(f"the label {key[:60]!r}, which is the platform's")
        found[key] = reader.text(item, "value", required=False)
    return found


def _slice(reader: _Reader, item: Mapping[str, Any]) -> tuple[str, ...]:
    paths = reader.texts(item, "paths")
    try:
        globs.slice_of(paths, APP)
    except ValueError as error:
        raise reader.wrong(f"a slice that {error}") from None
    return paths


def _sboms(files: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    return {kind: files[path] for kind in SBOMS if (path := f"{name}.sbom.{kind}") in files}


@dataclass(frozen=True)
class _Reader:
    """Takes values out of a buildpack's files, or says which is wrong."""

    name: str
    files: Mapping[str, bytes]

    def wrong(self, what: str) -> Exception:
        return messages.invalid_output(self.name, what)

    def document(self, file: str) -> dict[str, Any]:
        try:
            return toml.parse(self.files.get(file, b""))
        except ValueError as error:
            raise self.wrong(f"{file[:60]}, which {error}") from None

    def variable(self, path: str, body: bytes) -> str:
        try:
            text = body.decode()
        except ValueError:
            raise self.wrong(f"the variable {path[:100]!r}, which is not UTF-8") from None
        if "\0" in text:
            raise self.wrong(f"the variable {path[:100]!r}, which has a NUL")
        return text

    def text(self, table: Mapping[str, Any], key: str, *, required: bool = True) -> str:
        value = table.get(key, "")
        if not isinstance(value, str) or (required and not value) or "\0" in value:
            raise self.wrong(f"a {key} that is not a text")
        return value

    def texts(self, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and "\0" not in item for item in value):
            raise self.wrong(f"a {key} that is not a list of texts")
        return tuple(value)

    def flag(self, table: Mapping[str, Any], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(f"a {key} that is neither true nor false")
        return value

    def table(self, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = table.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(f"a {key} that is not a table")
        return value

    def tables(self, table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value) or len(value) > _MAX_LIST:
            raise self.wrong(f"{key} that are not a list of at most {_MAX_LIST} tables")
        return value
