"""The code as data: every module of `paas` by its path, parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Module:
    """One file."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def imports(self) -> Iterator[str]:
        """Full names of what is imported, anywhere in the file, but for what only type checkers see."""
        for node in _without_type_checking(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call by the dotted name of what is called (`open`, `subprocess.run`, `?.read`)."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield dotted(node.func), node

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node


@cache
def modules(folder: str = "paas") -> tuple[Module, ...]:
    found = tuple(
        Module(path.relative_to(ROOT).as_posix(), path.read_text()) for path in sorted((ROOT / folder).rglob("*.py"))
    )
    assert found, folder
    return found


def module(path: str, text: str) -> Module:
    """A made-up module, to see that a rule can fail."""
    return Module(path, text)


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return "?"


def keywords(call: ast.Call) -> set[str]:
    return {keyword.arg or "**" for keyword in call.keywords}


def _without_type_checking(tree: ast.Module) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not (isinstance(node, ast.If) and dotted(node.test).endswith("TYPE_CHECKING")):
            waiting.extend(ast.iter_child_nodes(node))
