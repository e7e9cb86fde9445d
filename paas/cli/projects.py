"""Projects: what a team shares."""

from __future__ import annotations

import click

from paas.cli import addresses, options, output
from paas.cli.session import Session

name_argument = click.argument("name", shell_complete=options.complete_project)


@click.group()
def projects() -> None:
    """Make, list and remove projects."""


@projects.command()
@click.argument("name")
@options.as_json
@click.pass_obj
def create(session: Session, name: str, as_json: bool) -> None:
    """Make a project; you become its admin."""
    made = session.api().send("POST", "/projects", {"name": name})
    if as_json:
        output.as_json(made)
        return
    click.echo(f"Project {made['name']} is there. Next: paasctl apps create NAME --project {made['name']}")


@projects.command("list")
@options.as_json
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List the projects that you may see."""
    items = session.api().get("/projects")["items"]
    if as_json:
        output.as_json(items)
        return
    rows = [(p["name"], p["role"], p["apps"], output.ago(p["created_at"])) for p in items]
    output.table(("NAME", "ROLE", "APPS", "MADE"), rows, "You have no project. Make one: paasctl projects create NAME")


@projects.command()
@name_argument
@options.as_json
@click.pass_obj
def info(session: Session, name: str, as_json: bool) -> None:
    """Show one project."""
    found = session.api().get(f"/projects/{addresses.segment(name)}")
    if as_json:
        output.as_json(found)
        return
    made = output.ago(found["created_at"])
    limit = found.get("build_limit") or ""
    output.facts(
        {"project": found["name"], "role": found["role"], "apps": found["apps"], "build limit": limit, "made": made}
    )


@projects.command()
@name_argument
@click.option("--build-limit", type=click.IntRange(0), required=True, help="Builds at the same time; 0: the default.")
@click.pass_obj
def update(session: Session, name: str, build_limit: int) -> None:
    """Set a project's limits (platform admins)."""
    changed = session.api().send("PATCH", f"/projects/{addresses.segment(name)}", {"build_limit": build_limit})
    click.echo(f"Project {name}: {changed['build_limit'] or 'the default number of'} builds at the same time.")


@projects.command()
@name_argument
@options.yes
@click.pass_obj
def delete(session: Session, name: str, yes: bool) -> None:
    """Remove a project that has no apps."""
    options.confirm(f"the project {name}", name, yes)
    session.api().send("DELETE", f"/projects/{addresses.segment(name)}")
    click.echo(f"Project {name} is removed.")
