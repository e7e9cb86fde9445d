"""Logging in and out of a platform: the token is kept here, and git is told to ask for it here."""

from __future__ import annotations

import platform
import sys
from typing import Any

import click

from paas.cli import addresses, git, options, output
from paas.cli.credentials import Server
from paas.cli.session import Session
from paas.errors import InvalidInput, PaasError

TOKEN_DAYS = 365


@click.command()
@click.argument("url", default="")
@click.option("--username", "-u", default="", metavar="NAME", help="User name; asked for where absent.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--token-stdin", is_flag=True, help="Read a token, instead of making one with a password.")
@click.pass_obj
def login(session: Session, url: str, username: str, password_stdin: bool, token_stdin: bool) -> None:
    """Log in to a platform, and let git use the login.

    URL is the last platform's, or http://paas.localhost:7480, where it is not given.

    \b
    paasctl login http://paas.localhost:7480
    paasctl login https://paas.example.org -u ada --password-stdin < password
    """
    address = addresses.normalise(url) if url else session.url() or addresses.DEFAULT
    _warn(session, address)
    if password_stdin and token_stdin:
        raise InvalidInput("--password-stdin and --token-stdin are two ways", hint="Choose one.")
    old = session.store().servers.get(address)
    server = _by_token(session, address) if token_stdin else _by_password(session, address, username, password_stdin)
    session.save(session.store().add(server))
    _revoke(session, old)
    click.echo(f"Logged in to {server.url} as {server.user}.")
    if git.use_helper(server.url, git.helper_command(sys.argv[0])):
        click.echo("git asks paasctl for its credentials there, so that `git push` asks nothing.")
    else:
        output.note("git could not be set up (is it installed?): it will ask for a password, which is a token.")


def _warn(session: Session, address: str) -> None:
    if address.startswith("http:") and not addresses.is_local(addresses.host_of(address)):
        output.note(f"{address} is not encrypted: whoever is on the way can read the password and the token.")
    if session.environment.token:
        output.note("PAASCTL_TOKEN is set and will be used instead of this login.")


def _by_token(session: Session, address: str) -> Server:
    token = sys.stdin.read().strip()
    if not token or not token.isascii() or any(c <= " " for c in token):
        raise InvalidInput("standard input holds no token", field="token", hint="Make one: paasctl tokens create NAME")
    return Server(address, session.open(address, token).get("/whoami")["name"], token)


def _by_password(session: Session, address: str, username: str, from_stdin: bool) -> Server:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise InvalidInput("there is no terminal to ask for a password", hint="Use --password-stdin or --token-stdin.")
    if from_stdin and not username:
        raise InvalidInput("--password-stdin needs --username", field="username", hint="Add --username NAME.")
    name = username or click.prompt(f"User name at {address}", err=True)
    if not from_stdin:
        password = click.prompt("Password", hide_input=True, err=True)
    body = {"name": f"paasctl on {platform.node()}"[:80], "expires_in_days": TOKEN_DAYS}
    made = session.open(address).send("POST", "/tokens", body, login=(name, password))
    return Server(address, name, made["token"], made["id"])


def _revoke(session: Session, server: Server | None) -> bool:
    """End a token that login made itself; one that was given may be in use elsewhere."""
    if server is None or not server.token_id:
        return False
    try:
        session.open(server.url, server.token, seconds=10).send("DELETE", "/tokens/current")
    except PaasError:
        return False
    return True


@click.command()
@click.argument("url", default="")
@click.pass_obj
def logout(session: Session, url: str) -> None:
    """Log out and end the token.

    URL is the current platform where it is not given.
    """
    store = session.store()
    address = addresses.normalise(url) if url else store.current
    server = store.servers.get(address)
    if server is None:
        output.note(f"You are not logged in{f' to {address}' if address else ''}.")
        return
    is_revoked = _revoke(session, server)
    session.save(store.remove(address))
    git.forget_helper(address)
    click.echo(f"Logged out of {address}.")
    if not is_revoked:
        output.note(
            "Its token is forgotten here, but could not be ended there: `paasctl tokens revoke` does."
            if server.token_id
            else "Its token was given to login, and stays valid: `paasctl tokens revoke` ends it."
        )


@click.command()
@options.as_json
@click.pass_obj
def whoami(session: Session, as_json: bool) -> None:
    """Show who you are, and where."""
    api = session.api()
    me: dict[str, Any] = api.get("/whoami")
    if as_json:
        output.as_json({**me, "url": api.url})
        return
    token = me.get("token") or {}
    role = "platform admin" if me["is_admin"] else ""
    expires = output.ago(token.get("expires_at"))
    output.facts(
        {"user": me["name"], "role": role, "platform": api.url, "token": token.get("name"), "expires": expires}
    )
