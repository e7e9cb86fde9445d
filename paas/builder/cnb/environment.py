"""The environment of buildpacks: the image's, what layers of earlier buildpacks change in it, and the user's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

BUILD_FOLDERS = ("env", "env.build")
PATHS: Mapping[str, str] = {
    "PATH": "bin",
    "LD_LIBRARY_PATH": "lib",
    "LIBRARY_PATH": "lib",
    "CPATH": "include",
    "PKG_CONFIG_PATH": "pkgconfig",
}
FOLDERS = tuple(dict.fromkeys(PATHS.values()))
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DELIMITER = ":"


@dataclass(frozen=True)
class LayerFiles:
    """What of a build layer changes the environment of later buildpacks."""

    path: str
    folders: frozenset[str] = frozenset()
    """Which of `bin`, `lib`, `include` and `pkgconfig` it has."""
    files: Mapping[str, str] = field(default_factory=dict)
    """`env/NAME.SUFFIX` and `env.build/NAME.SUFFIX` with their contents."""


def after(env: Mapping[str, str], layers: Iterable[LayerFiles]) -> dict[str, str]:
    """The environment behind one buildpack's build layers."""
    ordered = sorted(layers, key=lambda layer: layer.path)
    found = dict(env)
    for name, folder in PATHS.items():
        paths = [f"{layer.path}/{folder}" for layer in ordered if folder in layer.folders]
        if paths:
            found[name] = _joined(*paths, found.get(name, ""))
    for layer in ordered:
        for folder in BUILD_FOLDERS:
            _modify(found, _below(layer.files, folder))
    return found


def with_user(env: Mapping[str, str], user: Mapping[str, str]) -> dict[str, str]:
    """The user's variables over it; before it, where they are search paths."""
    return {
        **env,
        **{name: _joined(value, env.get(name, "")) if name in PATHS else value for name, value in user.items()},
    }


def _modify(env: dict[str, str], files: Mapping[str, str]) -> None:
    """One folder's files, in the order of their names."""
    for file in sorted(files):
        name, _, suffix = file.partition(".")
        value, now = files[file], env.get(name, "")
        delimiter = files.get(f"{name}.delim", "")
        if suffix in ("", "override"):
            env[name] = value
        elif suffix == "append":
            env[name] = f"{now}{delimiter}{value}" if now else value
        elif suffix == "prepend":
            env[name] = f"{value}{delimiter}{now}" if now else value
        elif suffix == "default" and not now:
            env[name] = value


def _below(files: Mapping[str, str], folder: str) -> dict[str, str]:
    head = f"{folder}/"
    return {
        path.removeprefix(head): value
        for path, value in files.items()
        if path.startswith(head) and NAME.fullmatch(path.removeprefix(head).partition(".")[0])
    }


def _joined(*parts: str) -> str:
    return _DELIMITER.join(part for part in parts if part)
