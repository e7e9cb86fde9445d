"""Tokens: what scripts, CI and git log in with."""

from __future__ import annotations

import click

from paas.cli import addresses, options, output
from paas.cli.session import Session


@click.group()
def tokens() -> None:
    """Make and end tokens of your own."""


@tokens.command("list")
@options.as_json
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List your tokens."""
    items = session.api().get("/tokens")["items"]
    if as_json:
        output.as_json(items)
        return
    rows = [
        (t["id"], t["name"], output.ago(t["created_at"]), output.ago(t["last_used_at"]), output.ago(t["expires_at"]))
        for t in items
    ]
    output.table(("ID", "NAME", "MADE", "USED", "EXPIRES"), rows, "You have no tokens.")


@tokens.command()
@click.argument("name")
@click.option("--days", type=click.IntRange(1, 3650), metavar="N", help="Days until it expires; default: never.")
@options.as_json
@click.pass_obj
def create(session: Session, name: str, days: int | None, as_json: bool) -> None:
    """Make a token called NAME and print it, this once.

    \b
    paasctl tokens create ci --days 90
    """
    made = session.api().send("POST", "/tokens", {"name": name} | ({"expires_in_days": days} if days else {}))
    if as_json:
        output.as_json(made)
        return
    output.note("Keep it now: it is not shown again. git takes it as the password, paasctl as PAASCTL_TOKEN.")
    click.echo(made["token"])


@tokens.command()
@click.argument("token_id", metavar="ID")
@click.pass_obj
def revoke(session: Session, token_id: str) -> None:
    """End the token with this ID at once."""
    session.api().send("DELETE", f"/tokens/{addresses.segment(token_id)}")
    click.echo(f"Token {token_id} is no longer valid.")
