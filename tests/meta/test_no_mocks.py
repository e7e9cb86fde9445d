"""Our own modules are tested as they are: with values, memory adapters, or the real thing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.meta.code import Module, module, modules

CALLS = ("mock.patch", "mocker.patch", "monkeypatch.setattr", "mock.patch.object", "create_autospec")


def mocks(code: Module) -> Iterator[str]:
    yield from (f"{code.path}: imports {name}" for name in code.imports() if name.startswith(("unittest.mock", "mock")))
    for name, call in code.calls():
        if name.endswith(CALLS) and not _replaces_the_systems(call):
            yield f"{code.path}:{call.lineno}: {name}"


def _replaces_the_systems(call: ast.Call) -> bool:
    """`sys.stdin` and the like are the test's terminal."""
    first = call.args[0] if call.args else None
    return isinstance(first, ast.Constant) and str(first.value).startswith("sys.std")


@pytest.mark.parametrize("code", modules("tests"), ids=lambda code: code.path)
def test_no_mocks(code: Module) -> None:
    assert list(mocks(code)) == []


@pytest.mark.parametrize(
    "text",
    [
        "from unittest.mock import patch",
        "mock.patch('paas.actions.builds.start')",
        "def test_x(monkeypatch):\n    monkeypatch.setattr(builds, 'start', f)",
    ],
)
def test_a_mock_is_found(text: str) -> None:
    assert list(mocks(module("tests/x.py", text)))
