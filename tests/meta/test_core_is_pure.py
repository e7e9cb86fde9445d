"""core/ decides and does nothing: no files, no network, no clock, no other room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.meta.code import Module, module, modules

ALLOWED = {
    "__future__", "collections", "dataclasses", "datetime", "enum", "functools", "hashlib", "ipaddress",
    "itertools", "json", "math", "re", "shlex", "string", "tomllib", "typing", "unicodedata",
}  # fmt: skip
OWN = ("paas.core", "paas.errors")
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
IMPURE_ENDS = (".now", ".today", ".utcnow", ".read_text", ".read_bytes", ".write_text", ".write_bytes", ".open")


def impurities(code: Module) -> Iterator[str]:
    for name in code.imports():
        if name.partition(".")[0] not in ALLOWED and not name.startswith(OWN):
            yield f"imports {name}"
    for name, call in code.calls():
        if name in IMPURE_CALLS or name.endswith(IMPURE_ENDS):
            yield f"calls {name} in line {call.lineno}"


@pytest.mark.parametrize("code", modules("paas/core"), ids=lambda code: code.path)
def test_core_is_pure(code: Module) -> None:
    assert list(impurities(code)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from pathlib import Path",
        "from paas.db import models",
        "import datetime\nx = datetime.datetime.now()",
        "def f():\n    import socket",
        "open('x')",
    ],
)
def test_an_impurity_is_found(text: str) -> None:
    assert list(impurities(module("paas/core/x.py", text)))
