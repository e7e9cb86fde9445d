"""TOML as buildpacks and the launcher read it, and a bounded way to read theirs.

The standard library only reads. Tables are written as tables, for scripts look at them with grep.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MAX = 1024 * 1024
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def parse(content: bytes) -> dict[str, Any]:
    """A document. Raises ValueError with the reason in words."""
    if len(content) > MAX:
        raise ValueError(f"is larger than {MAX} bytes")
    try:
        return tomllib.loads(content.decode())
    except RecursionError:
        raise ValueError("is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"is not valid TOML: {error}") from None


def dump(document: Mapping[str, Any]) -> bytes:
    """The document; reading it gives the same values."""
    return "".join(f"{line}\n" for line in _table("", document)).encode()


def _table(path: str, table: Mapping[str, Any]) -> Iterator[str]:
    below = []
    for key, value in table.items():
        name = f"{path}.{_key(key)}".lstrip(".")
        if isinstance(value, Mapping):
            below.append((f"[{name}]", name, value))
        elif _is_tables(value):
            below += [(f"[[{name}]]", name, item) for item in value]
        else:
            yield f"{_key(key)} = {_inline(value)}"
    for head, name, value in below:
        yield head
        yield from _table(name, value)


def _is_tables(value: object) -> bool:
    return isinstance(value, Sequence) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)  # inf and nan as well: TOML writes them alike
    return str(value.isoformat())


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
