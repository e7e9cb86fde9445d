"""Processes: the running instances, how many there are to be, and one-off runs."""

from __future__ import annotations

import json

import click

from paas.cli import options, output, releases, streams
from paas.cli.client import AppApi
from paas.errors import InvalidInput, Unavailable


@click.command()
@options.takes_app(positional=True)
@options.as_json
def ps(app: AppApi, as_json: bool) -> None:
    """List the instances of APP."""
    found = app.get("/processes")
    if as_json:
        output.as_json(found)
        return
    rows = [(i["name"], i["state"], i["release"], i["restarts"], output.ago(i["since"])) for i in found["items"]]
    output.table(("INSTANCE", "STATE", "RELEASE", "RESTARTS", "SINCE"), rows, "No instances are running.")
    if found["formation"]:
        click.echo()
        output.facts({"formation": output.formation(found["formation"])})


@click.command()
@click.argument("counts", nargs=-1, required=True, metavar="TYPE=COUNT...")
@options.takes_app()
@options.no_wait
def scale(app: AppApi, counts: tuple[str, ...], no_wait: bool) -> None:
    """Set the number of instances of each process type.

    \b
    paasctl scale web=2 worker=1
    """
    formation = parse_counts(counts)
    wanted = app.send("PATCH", "/processes", {"formation": formation})
    releases.wait(app, wanted, no_wait)


def parse_counts(texts: tuple[str, ...]) -> dict[str, int]:
    """`web=2` arguments. Raises InvalidInput naming the process type."""
    counts: dict[str, int] = {}
    for name, value in options.parse_pairs(texts, "formation").items():
        if not (value.isascii() and value.isdigit() and len(value) < 6):
            raise InvalidInput(f"{name}={value[:20]} is not a count", field=name, hint=f"For example {name}=2")
        counts[name] = int(value)
    return counts


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@options.takes_app()
@click.pass_context
def run(context: click.Context, app: AppApi, command: tuple[str, ...]) -> None:
    """Run a command in the live image with the live config.

    It exits with the command's own code, and shows its output as it comes; it reads no input.

    Options of paasctl come before the command, which may be set off with `--`.

    \b
    paasctl run -- python manage.py migrate
    paasctl run --app shop env
    """
    has_begun = False
    try:
        for record in streams.records(app.api, app.path("/runs"), {"command": list(command)}):
            has_begun = True
            if "exit" in record:
                context.exit(int(record["exit"]) & 255)
            if "line" in record:
                click.echo(record["line"])
    except Unavailable as error:
        if not has_begun:
            raise
        raise _cut_off(error.message) from error
    except json.JSONDecodeError as error:
        raise _cut_off("the answer cannot be read") from error
    raise _cut_off("the answer ended early")


def _cut_off(why: str) -> Unavailable:
    return Unavailable(
        f"the run's end is not known: {why}", hint="See `paasctl logs`; it may still have done its work."
    )
