"""docs/operators/settings.md names every setting with its default and its meaning, and no other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from paas.settings import Settings
from tests.meta.code import ROOT

ROW = re.compile(r"^\| `(PAAS_[A-Z_]+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)


def expected() -> dict[str, tuple[str, str]]:
    return {
        f"PAAS_{field.name.upper()}": (shown(field.default), field.metadata["doc"].replace("|", "\\|"))
        for field in fields(Settings)
    }


def shown(default: object) -> str:
    if isinstance(default, Path) and default.is_relative_to(ROOT):
        return f"`{default.relative_to(ROOT)}` of the checkout"
    return f"`{default}`" if default != "" else "(empty)"


def documented(text: str) -> dict[str, tuple[str, str]]:
    return {name: (default, doc) for name, default, doc in ROW.findall(text)}


def test_docs_cover_settings() -> None:
    assert documented((ROOT / "docs/operators/settings.md").read_text()) == expected()


def test_a_changed_default_is_found() -> None:
    text = (ROOT / "docs/operators/settings.md").read_text()
    assert documented(text.replace("`7480`", "`7490`")) != expected()
    assert documented(re.sub(r"(?m)^\| `PAAS_DOMAIN`.*\n", "", text)) != expected()
