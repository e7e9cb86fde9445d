"""`paasctl gc`: what nobody needs goes, and everything says why it stays or goes."""

from __future__ import annotations

from typing import Any

import click

from paas.cli import options, output
from paas.cli.session import Session

Item = dict[str, Any]
SECONDS = 900.0


@click.command()
@click.option("--dry-run", is_flag=True, help="Remove nothing, only tell.")
@click.option("--kept", is_flag=True, help="Also tell what stays, and why.")
@options.as_json
@click.pass_obj
def gc(session: Session, dry_run: bool, kept: bool, as_json: bool) -> None:
    """Remove images, layers and sources that no release, tag, build or instance needs. Platform admins only.

    It runs every night by itself. What is not the platform's own is never touched.
    """
    done = session.api(seconds=SECONDS).send("POST", "/gc", {"is_dry_run": dry_run})
    if as_json:
        output.as_json(done)
        return
    shown = [item for item in done["items"] if kept or item["verdict"] == "remove"]
    rows = [(i["verdict"], i["kind"], i["where"], output.short(i["digest"]), _size(i), i["reason"]) for i in shown]
    output.table(("VERDICT", "WHAT", "WHERE", "DIGEST", "SIZE", "WHY"), rows, "Nothing to remove.")
    counts = ", ".join(f"{count} {kind}" for kind, count in done["removed"].items()) or "nothing"
    verb = "Would remove" if dry_run else "Removed"
    click.echo(f"{verb} {counts}: {output.size(done['freed'])} of the registry's disk.")


def _size(item: Item) -> str:
    return output.size(item["size"]) if item["size"] else ""
