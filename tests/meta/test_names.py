"""A name says what a thing is; these say only that somebody did not know where to put it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.meta.code import Module, module, modules

EMPTY_MODULES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc", "tools", "lib", "base"}
EMPTY_ENDS = ("Manager", "Helper", "Helpers", "Util", "Utils", "Impl", "Abstract")


def empty_names(code: Module) -> Iterator[str]:
    path = Path(code.path)
    yield from (f"{code.path}: {part}" for part in (*path.parts[:-1], path.stem) if part in EMPTY_MODULES)
    for node in ast.walk(code.tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith(EMPTY_ENDS):
            yield f"{code.path}: class {node.name}"


@pytest.mark.parametrize("code", modules(), ids=lambda code: code.path)
def test_names(code: Module) -> None:
    assert list(empty_names(code)) == []


def test_an_empty_name_is_found() -> None:
    assert list(empty_names(module("paas/utils.py", "")))
    assert list(empty_names(module("paas/helpers/x.py", "")))
    assert list(empty_names(module("paas/x.py", "class BuildManager: ...")))
