"""Config: an app's environment variables; every change makes a release."""

from __future__ import annotations

import click

from paas.cli import options, output, releases
from paas.cli.client import AppApi
from paas.core import names
from paas.errors import NotFound


@click.group()
def config() -> None:
    """Set and show an app's environment variables."""


@config.command("set")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE...")
@options.takes_app()
@options.no_wait
def set_(app: AppApi, pairs: tuple[str, ...], no_wait: bool) -> None:
    """Set variables and release.

    \b
    paasctl config set COLOUR=blue GREETING='good day'
    """
    chosen = options.parse_pairs(pairs, "config")
    for name in chosen:
        names.check_config_name(name)
    changed = app.send("PATCH", "/config", {"set": chosen, "unset": []})
    click.echo(f"Set {', '.join(chosen)}.", err=True)
    releases.wait(app, changed["release"], no_wait)


@config.command()
@click.argument("variables", nargs=-1, required=True, metavar="NAME...")
@options.takes_app()
@options.no_wait
def unset(app: AppApi, variables: tuple[str, ...], no_wait: bool) -> None:
    """Remove variables and release."""
    for name in variables:
        names.check_config_name(name)
    changed = app.send("PATCH", "/config", {"set": {}, "unset": list(variables)})
    click.echo(f"Removed {', '.join(variables)}.", err=True)
    releases.wait(app, changed["release"], no_wait)


@config.command("list")
@options.takes_app()
@options.as_json
def list_(app: AppApi, as_json: bool) -> None:
    """List the variables with their values."""
    items = app.get("/config")["items"]
    if as_json:
        output.as_json(items)
        return
    rows = [(item["name"], item["value"], output.ago(item["updated_at"])) for item in items]
    output.table(("NAME", "VALUE", "CHANGED"), rows, "No variables. Set one: paasctl config set NAME=VALUE")


@config.command()
@click.argument("name")
@options.takes_app()
@options.as_json
def get(app: AppApi, name: str, as_json: bool) -> None:
    """Print the value of one variable."""
    names.check_config_name(name)
    for item in app.get("/config")["items"]:
        if item["name"] == name:
            if as_json:
                output.as_json(item)
            else:
                click.echo(item["value"])
            return
    raise NotFound(f"{app.name} has no variable {name}", hint="See `paasctl config list`.")
