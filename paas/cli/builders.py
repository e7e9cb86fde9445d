"""Builders: which there are, how they recognise a source, and patched ones."""

from __future__ import annotations

import json
from typing import Any

import click

from paas.cli import addresses, options, output, streams
from paas.cli.client import Api
from paas.cli.session import Session
from paas.errors import Unavailable

Builder = dict[str, Any]
MOST_PACKAGES = 20


@click.group()
def builders() -> None:
    """Show the platform's builders, and bring them up to date."""


@builders.command("list")
@options.as_json
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List the builders and their versions; the first version is the default."""
    items: list[Builder] = session.api().get("/builders")["items"]
    if as_json:
        output.as_json(items)
        return
    rows = [(b["name"], b["title"], _versions(b), ", ".join(b["detect"])) for b in items]
    output.table(("BUILDER", "LANGUAGE", "VERSIONS", "RECOGNISED BY"), rows, "No builders.")


def _versions(builder: Builder) -> str:
    return ", ".join(version["version"] for version in builder["versions"])


@builders.command()
@click.argument("name")
@options.as_json
@click.pass_obj
def info(session: Session, name: str, as_json: bool) -> None:
    """Show builder NAME: its versions, their images, and which files choose one."""
    found: Builder = session.api().get(f"/builders/{addresses.segment(name)}")
    if as_json:
        output.as_json(found)
        return
    output.facts(
        {
            "builder": found["name"],
            "language": found["title"],
            "recognised by": ", ".join(found["detect"]),
            "version from": ", ".join(found["version_files"]),
        }
    )
    click.echo()
    output.table(("VERSION", "DEBIAN", "MADE", "BUILD IMAGE", "RUN IMAGE"), [_row(v) for v in found["versions"]], "")


def _row(version: dict[str, Any]) -> tuple[object, ...]:
    if not version["is_made"]:
        return version["version"], version["suite"], "when first used", "", ""
    made = f"patched {output.ago(version['updated_at'])}" if version["updated_at"] else "yes"
    images = (output.short(version[key]) for key in ("build_image", "run_image"))
    return (version["version"], version["suite"], made, *images)


@builders.command()
@click.argument("name", metavar="NAME[:VERSION]")
@click.pass_obj
def usage(session: Session, name: str) -> None:
    """Show what a builder says about itself: how to use it, and which variables it knows."""
    name, _, version = name.partition(":")
    found = session.api().get(f"/builders/{addresses.segment(name)}/usage", version=version)
    for line in found["text"].splitlines():
        click.echo(output.clean(line))


@builders.command()
@click.argument("names", nargs=-1, metavar="[NAME[:VERSION]]...")
@click.option("--quiet", "-q", is_flag=True, help="Only what changed.")
@click.pass_obj
def update(session: Session, names: tuple[str, ...], quiet: bool) -> None:
    """Make builders anew with the packages of now: by name, or all versions that were ever made.

    Apps go on as they are until they are rebased or built again. Platform admins only.
    """
    api = session.api()
    for name in names or _made(api):
        _update(api, name, quiet)


def _made(api: Api) -> list[str]:
    items: list[Builder] = api.get("/builders")["items"]
    return [f"{b['name']}:{v['version']}" for b in items for v in b["versions"] if v["is_made"]]


def _update(api: Api, label: str, quiet: bool) -> None:
    name, _, version = label.partition(":")
    last = ""
    for record in streams.records(api, f"/builders/{addresses.segment(name)}/update", {"version": version}):
        if "line" in record:
            if last and not quiet:
                click.echo(_detail(last))
            last = record["line"]
        if "exit" in record:
            return _show(json.loads(last))
    raise Unavailable("the answer ended early", hint=f"See `paasctl builders info {name}`.")


def _detail(text: str) -> str:
    return f"       {output.clean(text)}"


def _show(done: dict[str, Any]) -> None:
    packages = done["packages"]
    is_same = done["old"] == done["new"]
    click.echo(f"{done['builder']}: {'nothing changed' if is_same else output.short(done['new'])}")
    for package in packages[:MOST_PACKAGES]:
        click.echo(_detail(f"{package['name']} {package['old'] or '-'} -> {package['new'] or 'removed'}"))
    if len(packages) > MOST_PACKAGES:
        click.echo(_detail(f"and {len(packages) - MOST_PACKAGES} more"))
