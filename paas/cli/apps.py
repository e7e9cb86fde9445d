"""Apps: made, shown, changed and removed; a new one gets a git remote to push to."""

from __future__ import annotations

from typing import Any

import click

from paas.cli import addresses, build_settings, git, options, output, rebases, target
from paas.cli.client import Api, AppApi
from paas.cli.session import Session
from paas.core import names
from paas.core.builds import Strategy
from paas.errors import InvalidInput, PaasError

STRATEGY = click.Choice([strategy.value for strategy in Strategy])


@click.group()
def apps() -> None:
    """Make, list, change and remove apps."""


@apps.command()
@click.argument("name", required=False)
@options.takes_project
@click.option("--builder", default="", metavar="NAME", help="Builder; default: the one that fits the source.")
@click.option("--strategy", default=None, type=STRATEGY, help="How it is built; default: as the source asks.")
@click.option("--context-dir", default=None, metavar="DIR", help="Folder of the source that is the app.")
@click.option("--branch", default="", metavar="NAME", help="Branch that is deployed when pushed; default: main.")
@click.option("--remote", default=target.REMOTE, show_default=True, metavar="NAME", help="Git remote to add.")
@click.option("--no-remote", is_flag=True, help="Add no git remote.")
@options.as_json
def create(
    api: Api, project: str, name: str | None, builder: str, branch: str, remote: str, no_remote: bool, **more: Any
) -> None:
    """Make an app, and a git remote to push it to.

    NAME is the work tree's folder name where it is not given.

    \b
    paasctl apps create shop --project team
    git push paas main
    """
    wished = {"builder": builder, "deploy_branch": branch}
    body = {"name": _folder_name() if name is None else name} | {key: value for key, value in wished.items() if value}
    made = api.send("POST", f"/projects/{addresses.segment(project)}/apps", body)
    _set_build(AppApi(api, project, made["name"]), **more)
    has_remote = not no_remote and _add_remote(remote, made["git_url"])
    if more["as_json"]:
        output.as_json(made)
        return
    click.echo(f"App {made['name']} is there, in the project {project}: {made['url']}")
    where = remote if has_remote else made["git_url"]
    click.echo(f"Next: git push {where} {made['deploy_branch']}")


def _set_build(app: AppApi, strategy: str | None, context_dir: str | None, **_: Any) -> bool:
    """Settings that are given beside an app's own fields; were there any?"""
    wished = {"strategy": strategy, "context_dir": context_dir}
    chosen = {name: value for name, value in wished.items() if value is not None}
    if chosen:
        build_settings.change(app, chosen, [])
    return bool(chosen)


def _folder_name() -> str:
    folder = git.work_tree()
    if folder is None:
        raise InvalidInput("which name?", field="name", hint="Give one: paasctl apps create NAME")
    name = folder.name.lower().replace("_", "-").replace(".", "-")
    try:
        return names.check_name(name, "name")
    except PaasError:
        hint = "Give another: paasctl apps create NAME"
        raise InvalidInput(f"the folder's name {folder.name!r} cannot name an app", field="name", hint=hint) from None


def _add_remote(name: str, url: str) -> bool:
    """Does the work tree now have this remote? An existing one with another URL stays as it is."""
    if git.work_tree() is None:
        return False
    known = git.remotes().get(name)
    if known == url:
        return True
    if known is not None:
        output.note(f"The git remote {name!r} already leads to {known} and was left so.")
        output.note(f"To change it: git remote set-url {name} {url}")
        return False
    if git.add_remote(name, url):
        output.note(f"Added the git remote {name!r}: {url}")
        return True
    output.note(f"git could not add the remote {name!r}.")
    return False


@apps.command("list")
@options.project
@options.as_json
@click.pass_obj
def list_(session: Session, project: str, as_json: bool) -> None:
    """List the apps that you may see, or those of one project."""
    path = f"/projects/{addresses.segment(project)}/apps" if project else "/apps"
    items = session.api().get(path)["items"]
    if as_json:
        output.as_json(items)
        return
    rows = [(a["name"], a["project"], a["state"], a["release"], a["url"]) for a in items]
    output.table(("NAME", "PROJECT", "STATE", "RELEASE", "URL"), rows, "No apps. Make one: paasctl apps create NAME")


@apps.command()
@options.takes_app(positional=True)
@options.as_json
def info(app: AppApi, as_json: bool) -> None:
    """Show one app."""
    found = app.get()
    if as_json:
        output.as_json(found)
        return
    show(found)


def show(found: dict[str, Any], more: dict[str, object] | None = None) -> None:
    """An app's facts for people."""
    output.facts(
        {
            "app": found["name"],
            "project": found["project"],
            "state": found["state"],
            "url": found["url"],
            "git": found["git_url"],
            "release": found["release"],
            "image": found["image"],
            "builder": found["builder"],
            "deploys": f"branch {found['deploy_branch']}",
            "formation": output.formation(found["formation"]),
            "made": output.ago(found["created_at"]),
            **(more or {}),
        }
    )


@apps.command()
@options.takes_app(positional=True)
@click.option("--builder", default=None, metavar="NAME", help="Builder of the next builds; '' to detect it.")
@click.option("--strategy", default=None, type=STRATEGY, help="How it is built.")
@click.option(
    "--context-dir", default=None, metavar="DIR", help="Folder of the source that is the app; '' for its top."
)
@click.option("--branch", default=None, metavar="NAME", help="Branch that is deployed when pushed.")
def update(app: AppApi, builder: str | None, branch: str | None, strategy: str | None, context_dir: str | None) -> None:
    """Change how an app is built."""
    has_changed = _set_build(app, strategy, context_dir)
    wished = {"builder": builder, "deploy_branch": branch}
    body = {key: value for key, value in wished.items() if value is not None}
    if not body and not has_changed:
        raise InvalidInput("nothing to change", hint="Give --builder, --branch, --strategy or --context-dir.")
    changed = app.send("PATCH", "", body) if body else app.get()
    click.echo(f"{changed['name']} is built by {changed['builder'] or 'the builder that fits'} from pushes")
    click.echo(f"of the branch {changed['deploy_branch']}. It counts from the next build on.")


@apps.command()
@click.argument("name", shell_complete=options.complete_app)
@options.project
@options.yes
@click.pass_obj
def delete(session: Session, name: str, project: str, yes: bool) -> None:
    """Remove an app: instances, config, history and images."""
    app = target.find_app(session, name, project)
    options.confirm(f"the app {app.name} of the project {app.project}", app.name, yes)
    git_url = app.get()["git_url"]
    app.send("DELETE")
    click.echo(f"App {app.name} is removed.")
    for remote, url in git.remotes().items():
        if url == git_url:
            output.note(f"The git remote {remote!r} still leads there: git remote remove {remote}")


apps.add_command(rebases.rebase)
