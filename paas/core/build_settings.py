"""What an app's owner may set for its builds: parsed at the edge, each mistake named by its field.

Values come as JSON or as a command line's text (`timeout=20m`, `memory=2GiB`, `build_args.VERSION=3`). What is not
set is not stored, so the operator's defaults go on counting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import Any

from paas.core import names
from paas.core.builds import BuildSettings, RunPolicy, Strategy
from paas.errors import InvalidInput

MAX_TEXT = 1000
MAX_ITEMS = 100
MAX_KEPT = 1000
SHELL = ("/bin/sh", "-c")
_AMOUNT = re.compile(r"(\d{1,18})\s*([A-Za-z]*)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_WORD = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}")


@dataclass(frozen=True)
class Maxima:
    """The most that the operator allows."""

    timeout: int
    memory: int
    cpus: int
    disk: int


def load(stored: Mapping[str, Any]) -> BuildSettings:
    """Settings as they were stored."""
    known = {field.name for field in fields(BuildSettings)}
    values: dict[str, Any] = {name: value for name, value in stored.items() if name in known}
    for name, kind in (("strategy", Strategy), ("run_policy", RunPolicy)):
        if name in values:
            values[name] = kind(values[name])
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return BuildSettings(**values)


def plain(settings: BuildSettings) -> dict[str, Any]:
    """What differs from the defaults, as JSON."""
    default = asdict(BuildSettings())
    return {name: _json(value) for name, value in asdict(settings).items() if value != default[name]}


def _json(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def change(settings: BuildSettings, given: Mapping[str, object], unset: list[str], most: Maxima) -> BuildSettings:
    """With these fields set and those at their defaults again. Raises InvalidInput naming the field."""
    default = BuildSettings()
    for name in unset:
        table, _, key = name.partition(".")
        _check_known(table)
        if key:
            settings = replace(settings, **{table: _without(settings, table, key)})  # type: ignore[arg-type]
        else:
            settings = replace(settings, **{table: getattr(default, table)})
    for name, value in given.items():
        table, _, key = name.partition(".")
        _check_known(table)
        wanted: object = {**_table(settings, table), key: value} if key else value
        parse, maximum = _FIELDS[table], getattr(most, table, 0)
        parsed = parse(name, wanted)
        if maximum and isinstance(parsed, int) and parsed > maximum:
            raise InvalidInput(f"{name} is over the operator's maximum of {maximum}", field=name, hint="Ask for less.")
        settings = replace(settings, **{table: parsed})  # type: ignore[arg-type]
    return settings


def _check_known(name: str) -> None:
    if name not in _FIELDS:
        raise InvalidInput(
            f"there is no build setting {name[:60]!r}", field=name[:60], hint=f"There are: {', '.join(_FIELDS)}."
        )


def _table(settings: BuildSettings, name: str) -> dict[str, str]:
    found = getattr(settings, name)
    if not isinstance(found, Mapping):
        raise InvalidInput(f"{name} has no keys", field=name, hint=f"Give it as {name}=VALUE.")
    return dict(found)


def _without(settings: BuildSettings, table: str, key: str) -> dict[str, str]:
    return {name: value for name, value in _table(settings, table).items() if name != key}


def _amount(units: Mapping[str, int], example: str) -> Callable[[str, object], int]:
    def parse(name: str, value: object) -> int:
        match = _AMOUNT.fullmatch(str(value).strip()) if isinstance(value, int | str) else None
        unit = match[2].lower().removesuffix("ib").removesuffix("b") if match and units is _BYTES else ""
        unit = match[2].lower() if match and units is _SECONDS else unit
        if match is None or isinstance(value, bool) or unit not in units:
            raise InvalidInput(f"{name} must be {example}", field=name, hint="0 means the operator's default.")
        return int(match[1]) * units[unit]

    return parse


def _count(name: str, value: object) -> int:
    parsed = _amount({"": 1}, "a whole number")(name, value)
    if parsed > MAX_KEPT:
        raise InvalidInput(f"{name} must be 0 to {MAX_KEPT}", field=name, hint="0 means the operator's default.")
    return parsed


def _choice(kind: type[Strategy] | type[RunPolicy]) -> Callable[[str, object], object]:
    def parse(name: str, value: object) -> object:
        for member in kind:
            if str(value).lower() == member.value.lower():
                return member
        raise InvalidInput(
            f"{name} must be one of {', '.join(kind)}", field=name, hint="See `paasctl builds settings`."
        )

    return parse


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or any(c < " " or c == "\x7f" for c in value):
        raise InvalidInput(f"{name} must be one line of text", field=name, hint=f"At most {MAX_TEXT} characters.")
    return value


def _path(name: str, value: object) -> str:
    path = _text(name, value)
    if path.startswith("/") or ".." in path.split("/"):
        raise InvalidInput(f"{name} must be a path inside the source", field=name, hint="For example services/shop.")
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _word(name: str, value: object) -> str:
    word = _text(name, value)
    if word and not _WORD.fullmatch(word):
        raise InvalidInput(f"{name} is not a name", field=name, hint="Letters, digits, '-', '_' and '.'.")
    return word


def _flag(name: str, value: object) -> bool:
    word = str(value).lower()
    if word not in ("true", "false", "yes", "no"):
        raise InvalidInput(f"{name} must be true or false", field=name)
    return word in ("true", "yes")


def _pairs(name: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > MAX_ITEMS:
        raise InvalidInput(f"{name} must hold at most {MAX_ITEMS} variables", field=name, hint=f"{name}.NAME=VALUE")
    for key, text in value.items():
        names.check_config_name(str(key))
        if not isinstance(text, str) or "\0" in text or len(text) > 32 * 1024:
            raise InvalidInput(f"{name}.{key} must be a text", field=f"{name}.{key}", hint="At most 32 KiB.")
    return dict(value)


def _texts(name: str, value: object) -> tuple[str, ...]:
    listed = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple) or len(listed) > MAX_ITEMS:
        raise InvalidInput(f"{name} must be a list of texts", field=name, hint=f"{name}=ONE,TWO")
    return tuple(_text(name, item) for item in listed)


def _command(name: str, value: object) -> tuple[str, ...]:
    """A list is run as it is, a text by the image's shell (OpenShift's `postCommit.args` and `.script`)."""
    if isinstance(value, str):
        return (*SHELL, _text(name, value)) if value.strip() else ()
    return _texts(name, value)


_FIELDS: dict[str, Callable[[str, object], object]] = {
    "strategy": _choice(Strategy),
    "context_dir": _path,
    "run_policy": _choice(RunPolicy),
    "environment": _pairs,
    "test_command": _command,
    "timeout": _amount(_SECONDS, "a time, like 900 or 15m"),
    "memory": _amount(_BYTES, "a size in bytes, or like 2GiB"),
    "cpus": _count,
    "disk": _amount(_BYTES, "a size in bytes, or like 20GiB"),
    "keep_succeeded": _count,
    "keep_failed": _count,
    "dockerfile": _path,
    "target": _word,
    "build_args": _pairs,
    "scripts_url": _text,
    "runtime_image": _text,
    "runtime_artifacts": _texts,
    "incremental": _flag,
    "injections": _texts,
}
