"""Events: an app's story as `paasctl logs` shows it, from build output to the lines of its instances."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import click

from paas.cli import options, output, streams
from paas.cli.client import AppApi
from paas.cli.streams import Following
from paas.errors import InvalidInput

SOURCES = ("app", "build", "release", "api", "git")
COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")
DONE = "end"
PATIENCE = 300.0
"""Seconds that waiting for one build or release outlives a lost platform."""


@click.command()
@options.takes_app(positional=True)
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines as they come; Ctrl-C ends it.")
@click.option("-n", "--lines", type=click.IntRange(0, 1000), default=100, show_default=True, help="Past lines.")
@click.option("--process", default="", metavar="TYPE", help="Only instances of this process type: web, or web.1.")
@click.option("--source", type=click.Choice(SOURCES), help="Only lines of this kind.")
@options.as_json
def logs(app: AppApi, follow: bool, lines: int, process: str, source: str | None, as_json: bool) -> None:
    """Show APP's builds, releases, changes and what it writes.

    \b
    paasctl logs -f
    paasctl logs shop --process web -n 1000
    paasctl logs --source build
    """
    if process and source not in (None, "app"):
        raise InvalidInput(f"--process is about instances, not {source!r}", field="process", hint="Leave out --source.")
    wanted = f"app/{process}" if process else source or ""
    for event in _follow(app, wanted, lines) if follow else _past(app, wanted, lines):
        if as_json:
            output.as_json_line(event)
        else:
            click.echo(render(event))


def _past(app: AppApi, source: str, lines: int) -> list[dict[str, Any]]:
    return list(app.get("/events", tail=lines, source=source)["items"]) if lines else []


def _follow(app: AppApi, source: str, lines: int) -> Iterator[dict[str, Any]]:
    """New lines behind the last `lines`. A tail of 0 would be all of the story, so it starts at its present end."""
    wanted = Following(source, tail=lines) if lines else Following(source, after=app.get("/events", tail=1)["next"])
    return streams.follow(app, wanted, output.note)


def render(event: dict[str, Any]) -> str:
    """`2026-11-23T10:00:00Z app[web.1]: text`, each source in its own colour."""
    at = output.parse_time(event["at"]).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kind, slash, which = output.clean(event["source"]).partition("/")
    label = f"{kind}[{which}]" if slash else kind
    colour = COLOURS[zlib.crc32(label.encode()) % len(COLOURS)]
    text = f"({event['text']})" if event["kind"] == DONE else event["text"]
    return f"{at} {click.style(f'{label}:', fg=colour)} {output.clean_coloured(text)}".rstrip()


def show_source(app: AppApi, source: str, follow: bool, as_json: bool = False, *, to_stderr: bool = False) -> None:
    """Print the text of a build's or release's lines, those of now or all until it ends."""
    wanted = Following(source, until=source, after=0, patience=PATIENCE)
    lines = streams.follow(app, wanted, output.note) if follow else _pages(app, source)
    for event in lines:
        if as_json:
            output.as_json_line(event)
        elif event["kind"] != DONE:
            click.echo(output.clean_coloured(event["text"]), err=to_stderr)


def _pages(app: AppApi, source: str) -> Iterator[dict[str, Any]]:
    after = 0
    while True:
        page = app.get("/events", source=source, after=after, limit=1000)
        yield from page["items"]
        if len(page["items"]) < 1000:
            return
        after = page["next"]
