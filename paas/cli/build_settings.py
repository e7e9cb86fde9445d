"""How an app is built: show the settings, set them, put them back to their defaults."""

from __future__ import annotations

from typing import Any

import click

from paas.cli import options, output
from paas.cli.client import AppApi


@click.command()
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE...]")
@options.takes_app()
@click.option("--unset", multiple=True, metavar="KEY", help="Back to its default; may be given several times.")
@options.as_json
def settings(app: AppApi, pairs: tuple[str, ...], unset: tuple[str, ...], as_json: bool) -> None:
    """Show or change how the app is built, from the next build on.

    \b
    paasctl builds settings
    paasctl builds settings strategy=dockerfile build_args.VERSION=3
    paasctl builds settings timeout=30m memory=3GiB test_command='pytest -q'
    paasctl builds settings run_policy=SerialLatestOnly --unset timeout
    """
    if pairs or unset:
        found = change(app, options.parse_pairs(pairs, "settings"), list(unset))
    else:
        found = app.get("/build-settings")
    if as_json:
        output.as_json(found)
        return
    rows = [(*row, "changed" if row[0] in found["changed"] else "") for row in _rows(found)]
    output.table(("SETTING", "VALUE", "AT MOST", ""), rows, "")


def change(app: AppApi, values: dict[str, str], unset: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = app.send("PATCH", "/build-settings", {"set": values, "unset": unset})
    return found


def _rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(name, _shown(value), str(found["maxima"].get(name, ""))) for name, value in found["settings"].items()]


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={text}" for name, text in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "(default)" if value in (0, "") and value is not False else str(value)
