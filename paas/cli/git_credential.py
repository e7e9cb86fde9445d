"""What git runs to get its credentials (git-credential(1)): no network, no libraries, it must be quick.

`get` answers for platforms that one is logged in to and keeps silent about all others, so that git goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from paas.cli import addresses, output
from paas.cli.session import Session
from paas.errors import PaasError, Unauthenticated


@click.command(name="git-credential")
@click.argument("operation", type=click.Choice(("get", "store", "erase")))
@click.pass_obj
def git_credential(session: Session, operation: str) -> None:
    """Give git its credentials; `paasctl login` sets this up.

    \b
    git config --global credential.http://paas.localhost:7480.helper "$(command -v paasctl) git-credential"
    """
    if operation == "store":
        return  # login has stored it already
    asked = parse(sys.stdin)
    url = url_of(asked)
    if operation == "get":
        click.echo(answer(session, url), nl=False)
    elif url in session.store().servers:
        output.note(f"The platform refused the token. Log in again: paasctl login {url}")


def parse(lines: Iterable[str]) -> dict[str, str]:
    """Git's `key=value` lines up to a blank one."""
    found: dict[str, str] = {}
    for line in lines:
        key, equals, value = line.rstrip("\n").partition("=")
        if not equals:
            break
        found[key] = value
    return found


def url_of(asked: dict[str, str]) -> str:
    """The server that git asks about; empty where it cannot be one of ours."""
    try:
        return addresses.normalise(f"{asked.get('protocol', '')}://{asked.get('host', '')}")
    except PaasError:
        return ""


def answer(session: Session, url: str) -> str:
    """User name and token for the server, or nothing."""
    if not url or session.url(url) != url:
        return ""
    try:
        server = session.server(url)
    except Unauthenticated:
        return ""
    return f"username={server.user or 'token'}\npassword={server.token}\n"
