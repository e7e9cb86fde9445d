"""Users of the platform; all but one's own password is for platform admins."""

from __future__ import annotations

import sys

import click

from paas.cli import addresses, options, output
from paas.cli.session import Session
from paas.errors import InvalidInput

password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@click.group()
def users() -> None:
    """Add and disable users, change passwords."""


@users.command("list")
@options.as_json
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List all users (platform admins)."""
    items = session.api().get("/users")["items"]
    if as_json:
        output.as_json(items)
        return
    rows = [
        (u["name"], "yes" if u["is_admin"] else "", "disabled" if u["is_disabled"] else "", output.ago(u["created_at"]))
        for u in items
    ]
    output.table(("NAME", "ADMIN", "STATE", "MADE"), rows, "There are no users.")


@users.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="May do everything, everywhere.")
@password_stdin
@options.as_json
@click.pass_obj
def create(session: Session, name: str, admin: bool, password_stdin: bool, as_json: bool) -> None:
    """Add a user, with a generated password that is printed once unless one is given."""
    given = {"password": _read_password()} if password_stdin else {}
    made = session.api().send("POST", "/users", {"name": name, "is_admin": admin, **given})
    if as_json:
        output.as_json(made)
        return
    click.echo(f"User {made['name']} is there.", err=True)
    if made.get("password"):
        output.note("The password is not shown again; it can be changed with `paasctl users password`.")
        click.echo(made["password"])


@users.command()
@click.argument("name")
@click.pass_obj
def disable(session: Session, name: str) -> None:
    """Lock a user out: login and tokens stop working at once."""
    session.api().send("PATCH", f"/users/{addresses.segment(name)}", {"is_disabled": True})
    click.echo(f"User {name} is disabled.")


@users.command()
@click.argument("name")
@click.pass_obj
def enable(session: Session, name: str) -> None:
    """Let a disabled user in again."""
    session.api().send("PATCH", f"/users/{addresses.segment(name)}", {"is_disabled": False})
    click.echo(f"User {name} is enabled.")


@users.command()
@click.argument("name", default="")
@password_stdin
@click.pass_obj
def password(session: Session, name: str, password_stdin: bool) -> None:
    """Change your password, or as platform admin that of NAME. It ends all other tokens of that user."""
    api = session.api()
    who = name or api.get("/whoami")["name"]
    if not password_stdin and not sys.stdin.isatty():
        raise InvalidInput("there is no terminal to ask for a password", hint="Use --password-stdin.")
    new = (
        _read_password()
        if password_stdin
        else click.prompt(f"New password of {who}", hide_input=True, confirmation_prompt=True, err=True)
    )
    api.send("PATCH", f"/users/{addresses.segment(who)}", {"password": new})
    click.echo(f"The password of {who} is changed.")


def _read_password() -> str:
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise InvalidInput("standard input holds no password", field="password", hint="Give it on the first line.")
    return text
