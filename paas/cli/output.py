"""What paasctl prints: tables, facts, times and JSON.

A terminal gets colour and wrapping; a pipe gets plain aligned text, never cut off. What other people
wrote (log lines, commit messages) is stripped of everything that commands a terminal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"
)
_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_STATES = {
    **dict.fromkeys(("live", "running", "succeeded", "ok", "yes"), "green"),
    **dict.fromkeys(("failed", "degraded", "no"), "red"),
    **dict.fromkeys(("queued", "pending", "building", "deploying", "starting"), "yellow"),
    **dict.fromkeys(("superseded", "stopped", "cancelled", "empty"), "bright_black"),
}


def clean(text: object) -> str:
    """The text on one line, without escape sequences, controls and changes of direction."""
    return _CONTROLS.sub(" ", _ESCAPES.sub("", str(text))).rstrip()


def clean_lines(text: str) -> str:
    return "\n".join(map(clean, text.splitlines()))


def clean_coloured(text: str) -> str:
    """As `clean`, but colours stay (and end with the line)."""
    parts = _COLOUR.split(text)
    cleaned = [part if index % 2 else _CONTROLS.sub(" ", _ESCAPES.sub("", part)) for index, part in enumerate(parts)]
    return "".join(cleaned).rstrip() + ("\x1b[0m" if len(parts) > 1 else "")


def as_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def as_json_line(value: object) -> None:
    click.echo(json.dumps(value))
    sys.stdout.flush()


def note(text: str) -> None:
    """A remark beside the output proper."""
    click.echo(click.style(clean(text), dim=True), err=True)


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Rows under heads; where there are none, a remark says so."""
    if not rows:
        note(empty)
        return
    cells = [[clean("" if cell is None else cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(heads, cells)
    else:
        click.echo(plain_table(heads, cells))


def plain_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, two spaces apart."""
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    padded = ((cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in padded)


def _rich_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        grid.add_column(head, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell, style=_STATES.get(cell, "")) for cell in row))
    Console().print(grid)


def facts(pairs: Mapping[str, object]) -> None:
    """One fact a line; empty ones are left out."""
    shown = {name: clean(value) for name, value in pairs.items() if value not in (None, "")}
    width = max(map(len, shown), default=0) + 2
    for name, value in shown.items():
        text = click.style(value, fg=_STATES[value]) if value in _STATES else value
        click.echo(click.style(f"{name}:".ljust(width), bold=True) + text)


def parse_time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def ago(text: str | None, now: datetime | None = None) -> str:
    """How long ago (or ahead) a time of the API is."""
    if not text:
        return ""
    seconds = ((now or datetime.now(UTC)) - parse_time(text)).total_seconds()
    span = _span(abs(seconds))
    if span == "now":
        return span
    return f"{span} ago" if seconds > 0 else f"in {span}"


def _span(seconds: float) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "now"


def took(start: str | None, end: str | None) -> str:
    if not start or not end:
        return ""
    return f"{(parse_time(end) - parse_time(start)).total_seconds():.1f} s"


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def short(digest: str | None) -> str:
    """Enough of a digest or commit to tell it from others."""
    return (digest or "").rpartition("sha256:")[2][:12]


def formation(counts: Mapping[str, Any] | None) -> str:
    return " ".join(f"{name}={count}" for name, count in (counts or {}).items())
