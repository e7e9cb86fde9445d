"""Releases: list them, go back to an earlier one, and wait until one is live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from paas.cli import events, options, output
from paas.cli.client import AppApi
from paas.errors import Conflict, DeployFailed, InvalidInput

Release = dict[str, Any]


@click.group()
def releases() -> None:
    """List releases and roll back."""


@releases.command("list")
@options.takes_app()
@click.option("--limit", type=click.IntRange(1, 200), default=15, show_default=True, help="At most so many.")
@options.as_json
def list_(app: AppApi, limit: int, as_json: bool) -> None:
    """List an app's releases, newest first."""
    items = app.get("/releases", limit=limit)["items"]
    if as_json:
        output.as_json(items)
        return
    rows = [
        (r["version"], r["state"], r["description"], r["build"], r["created_by"], output.ago(r["created_at"]))
        for r in items
    ]
    output.table(("RELEASE", "STATE", "WHAT", "BUILD", "BY", "WHEN"), rows, "No release yet: git push paas main")


@releases.command()
@click.argument("version", shell_complete=options.complete_release)
@options.takes_app()
@options.as_json
def info(app: AppApi, version: str, as_json: bool) -> None:
    """Show one release, for example v3."""
    found: Release = app.get(f"/releases/{parse_version(version)}")
    if as_json:
        output.as_json(found)
        return
    output.facts(
        {
            "release": found["version"],
            "state": found["state"],
            "what": found["description"],
            "build": found["build"],
            "commit": output.short(found["commit"]),
            "image": found["image"],
            "formation": output.formation({n: p["count"] for n, p in found["processes"].items()}),
            "by": found["created_by"],
            "made": output.ago(found["created_at"]),
            "took": output.took(found["created_at"], found["finished_at"]),
            "error": found["error"],
            "reason": " in ".join(filter(None, (found["reason"], found["stage"]))),
            "hint": found["hint"],
        }
    )


@releases.command()
@click.argument("version", default="", shell_complete=options.complete_release)
@options.takes_app()
@options.no_wait
def rollback(app: AppApi, version: str, no_wait: bool) -> None:
    """Go back to a release, by default the one before: its image, config and processes as a new release.

    \b
    paasctl releases rollback
    paasctl releases rollback v3 --app shop
    """
    number = parse_version(version) if version else before(app.get("/releases", limit=200)["items"])
    made = app.send("POST", "/releases", {"rollback_to": number})
    click.echo(f"Rolling back to v{number} as {made['version']}.", err=True)
    wait(app, made, no_wait)


def parse_version(text: str) -> int:
    """3 of `v3` or `3`. Raises InvalidInput."""
    digits = text.removeprefix("v")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise InvalidInput(f"{text[:40]!r} is not a release", field="release", hint="For example v3.")
    return int(digits)


def before(items: Sequence[Release]) -> int:
    """The release that was live before the live one. Raises Conflict where there is none."""
    live = next((r["number"] for r in items if r["state"] == "live"), None)
    earlier = [r["number"] for r in items if live and r["number"] < live and r["state"] == "superseded"]
    if not earlier:
        raise Conflict("there is no release before to go back to", hint="See `paasctl releases list`.")
    return int(max(earlier))


def wait(app: AppApi, release: Release | None, no_wait: bool = False, *, quiet: bool = False) -> Release | None:
    """Show a release's lines until it is live (`quiet`: on stderr); how it ended. Raises DeployFailed."""
    if release is None:
        output.note("There is no release yet: it counts from the first push on.")
        return None
    if no_wait:
        click.echo(f"{release['version']} is {release['state']}.")
        return release
    events.show_source(app, f"release/{release['number']}", follow=True, to_stderr=quiet)
    ended: Release = app.get(f"/releases/{release['number']}")
    if ended["state"] == "failed":
        raise DeployFailed(
            f"{ended['version']} failed: {ended['error']}",
            reason=ended["reason"],
            stage=ended["stage"],
            hint=ended["hint"] or "The release before it serves on.",
        )
    click.echo(f"{ended['version']} is {ended['state']}.", err=quiet)
    return ended
