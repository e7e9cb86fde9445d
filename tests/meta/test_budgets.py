"""Sizes, and where everything may be caught. An exception is a line with its reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.meta.code import Module, dotted, module, modules

FILE_LINES, FUNCTION_LINES, TASK_LINES = 300, 50, 5
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS = {
    "paas/db/migrations/versions/0001_first_schema.py:upgrade": "one statement per table",
    "paas/db/migrations/versions/0002_build_engine.py:upgrade": "one statement per table",
}
CATCH_ALL = {
    "paas/cli/errors.py": "the boundary of paasctl",
    "paas/actions/leases.py": "ends a build or a release that nobody expected to end so, under its fence",
    "paas/actions/repairs.py": "one app's repair must not stop the others'",
}


def too_long(code: Module) -> Iterator[str]:
    lines = code.text.count("\n")
    if lines > FILE_LINES and code.path not in LONG_FILES:
        yield f"{code.path} has {lines} lines"
    for function in code.functions():
        length = (function.end_lineno or 0) - function.lineno + 1
        if length > FUNCTION_LINES and f"{code.path}:{function.name}" not in LONG_FUNCTIONS:
            yield f"{code.path}:{function.name} has {length} lines"


def long_tasks(code: Module) -> Iterator[str]:
    """A task parses nothing and decides nothing: it calls an action."""
    for function in code.functions():
        is_task = any(isinstance(d, ast.Call) and dotted(d.func) == "celery.task" for d in function.decorator_list)
        if is_task and (function.end_lineno or 0) - function.lineno > TASK_LINES:
            yield f"{code.path}:{function.name}"


def catches_all(code: Module) -> bool:
    """Cleaning up and raising again is not catching."""
    handlers = [node for node in ast.walk(code.tree) if isinstance(node, ast.ExceptHandler)]
    return any(
        (h.type is None or dotted(h.type) in ("Exception", "BaseException"))
        and not (isinstance(h.body[-1], ast.Raise) and h.body[-1].exc is None)
        for h in handlers
    )


@pytest.mark.parametrize("code", modules(), ids=lambda code: code.path)
def test_sizes(code: Module) -> None:
    assert list(too_long(code)) == []


@pytest.mark.parametrize("code", modules("paas/worker"), ids=lambda code: code.path)
def test_tasks_are_five_lines(code: Module) -> None:
    assert list(long_tasks(code)) == []


def test_everything_is_caught_only_at_the_boundaries() -> None:
    assert {code.path for code in modules() if catches_all(code)} == CATCH_ALL.keys()


def test_what_is_too_long_is_found() -> None:
    body = "    x = 1\n"
    assert list(too_long(module("paas/x.py", "def f():\n" + body * 50)))
    assert not list(too_long(module("paas/x.py", "def f():\n" + body * 49)))
    assert list(too_long(module("paas/x.py", "x = 1\n" * 301)))
    assert list(long_tasks(module("paas/worker/x.py", "@celery.task(name='x')\ndef f():\n" + body * 6)))
    assert catches_all(module("paas/x.py", "try:\n    pass\nexcept Exception:\n    pass\n"))
    assert not catches_all(module("paas/x.py", "try:\n    pass\nexcept Exception:\n    clean()\n    raise\n"))
