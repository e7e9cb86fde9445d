"""Access: the members of a project and their roles."""

from __future__ import annotations

import click

from paas.cli import addresses, options, output
from paas.cli.client import Api

ROLES = ("view", "edit", "admin")


@click.group()
def access() -> None:
    """Say who may do what in a project.

    `view` reads, `edit` changes apps, `admin` also members and the project itself.
    """


@access.command("list")
@options.takes_project
@options.as_json
def list_(api: Api, project: str, as_json: bool) -> None:
    """List the project's members."""
    items = api.get(_path(project))["items"]
    if as_json:
        output.as_json(items)
        return
    output.table(("USER", "ROLE"), [(m["user"], m["role"]) for m in items], "The project has no members.")


@access.command()
@click.argument("user")
@click.argument("role", type=click.Choice(ROLES))
@options.takes_project
def grant(api: Api, project: str, user: str, role: str) -> None:
    """Make USER a member, or change the role.

    \b
    paasctl access grant grace edit --project shop
    """
    api.send("PUT", f"{_path(project)}/{addresses.segment(user)}", {"role": role})
    click.echo(f"{user} has the role {role} in {project}.")


@access.command()
@click.argument("user")
@options.takes_project
def revoke(api: Api, project: str, user: str) -> None:
    """End USER's membership at once."""
    api.send("DELETE", f"{_path(project)}/{addresses.segment(user)}")
    click.echo(f"{user} is no longer a member of {project}.")


def _path(project: str) -> str:
    return f"/projects/{addresses.segment(project)}/members"
