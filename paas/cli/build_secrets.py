"""Build secrets: values that builds see as files, and nobody sees again."""

from __future__ import annotations

from pathlib import Path

import click

from paas.cli import options, output
from paas.cli.client import AppApi
from paas.errors import InvalidInput


@click.group()
def secrets() -> None:
    """Set and list what the app's builds see as files in /run/secrets."""


@secrets.command("set")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE|NAME=@FILE...")
@options.takes_app()
def set_(app: AppApi, pairs: tuple[str, ...]) -> None:
    """Set secrets; they count from the next build on.

    \b
    paasctl builds secrets set NPM_TOKEN=@token.txt
    """
    chosen = {name: _value(name, text) for name, text in options.parse_pairs(pairs, "secrets").items()}
    app.send("PATCH", "/build-secrets", {"set": chosen, "unset": []})
    click.echo(f"Set {', '.join(chosen)}. It counts from the next build on.")


def _value(name: str, text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{text[1:]!r} cannot be read: {error}", field=name, hint="NAME=@FILE reads a file."
        ) from None


@secrets.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options.takes_app()
def unset(app: AppApi, names: tuple[str, ...]) -> None:
    """Remove secrets."""
    app.send("PATCH", "/build-secrets", {"set": {}, "unset": list(names)})
    click.echo(f"Removed {', '.join(names)}.")


@secrets.command("list")
@options.takes_app()
@options.as_json
def list_(app: AppApi, as_json: bool) -> None:
    """List the names; values are never shown."""
    items = app.get("/build-secrets")["items"]
    if as_json:
        output.as_json(items)
        return
    rows = [(item["name"], output.ago(item["updated_at"])) for item in items]
    output.table(("NAME", "CHANGED"), rows, "No build secrets: paasctl builds secrets set NAME=@FILE")
