"""`paasctl apps rebase`: apps onto the newest version of their base, without a build."""

from __future__ import annotations

import time
from typing import Any

import click

from paas.cli import options, output, releases, target
from paas.cli.client import Api
from paas.cli.session import Session
from paas.errors import DeployFailed, InvalidInput

Rebase = dict[str, Any]
PAUSE = 1.0


@click.command()
@click.argument("app_name", metavar="[APP]", default="", shell_complete=options.complete_app)
@click.option("--app", "-a", default="", metavar="NAME", shell_complete=options.complete_app, help="App.")
@options.project
@click.option("--all", "every", is_flag=True, help="All apps, in waves; for platform admins.")
@click.option("--builder", default="", metavar="NAME[:VERSION]", help="With --all: only apps of this builder.")
@click.option("--waves", default="", metavar="SIZES", help="With --all: sizes of the waves; default: 1,5,25%.")
@click.option("--max-failures", default=0, type=click.IntRange(0), help="With --all: more than so many stop it.")
@click.option("--dry-run", is_flag=True, help="With --all: show the waves and change nothing.")
@click.option("--status", is_flag=True, help="How far the last rebase of all apps is.")
@options.no_wait
@options.as_json
@click.pass_obj
def rebase(session: Session, /, app_name: str, app: str, project: str, **wanted: Any) -> None:
    """Move APP, or all apps, onto the newest version of their base: another manifest, no build.

    Each gets a release that is health-checked like any other; one that fails leaves the old one serving.

    \b
    paasctl builders update python
    paasctl apps rebase shop
    paasctl apps rebase --all --waves 1,5,25% --max-failures 2
    """
    if not (wanted["every"] or wanted["status"]):
        return _rebase_one(session, app or app_name, project, **wanted)
    if app or app_name:
        raise InvalidInput("name an app, or --all, not both", field="app", hint="See `paasctl apps rebase --help`.")
    return _rebase_all(session.api(), **wanted)


def _rebase_one(session: Session, name: str, project: str, *, no_wait: bool, as_json: bool, **_: Any) -> None:
    app = target.find_app(session, name, project)
    release = app.send("POST", "/rebase", {})
    if release is None:
        output.note(f"{app.name} stands on the newest version of its base.")
        ended = None
    else:
        ended = releases.wait(app, release, no_wait, quiet=as_json)
    if as_json:
        output.as_json(ended)


def _rebase_all(api: Api, *, status: bool, dry_run: bool, no_wait: bool, as_json: bool, **wanted: Any) -> None:
    if status:
        found: Rebase = api.get("/rebases/last")
    else:
        body = {"builder": wanted["builder"], "max_failures": wanted["max_failures"], "is_dry_run": dry_run}
        found = api.send("POST", "/rebases", body | ({"waves": wanted["waves"]} if wanted["waves"] else {}))
        if not (dry_run or no_wait):
            found = _wait(api, found, is_quiet=as_json)
    if as_json:
        output.as_json(found)
    else:
        _show(found)
    if found["state"] == "stopped" and not status:
        failed = found["counts"].get("failed", 0)
        raise DeployFailed(
            f"stopped after {failed} failed",
            reason="RebaseStopped",
            stage="rebase",
            hint="The others stay as they are.",
        )


def _wait(api: Api, found: Rebase, *, is_quiet: bool) -> Rebase:
    """Tell how far it is whenever that changes."""
    told = ""
    while found["state"] == "running":
        time.sleep(PAUSE)
        found = api.get(f"/rebases/{found['number']}")
        progress = _progress(found)
        if progress != told:
            click.echo(progress, err=is_quiet)
            told = progress
    return found


def _progress(found: Rebase) -> str:
    counts = found["counts"]
    rest = [f"{counts[name]} {name}" for name in ("skipped", "failed", "deploying", "waiting") if counts.get(name)]
    return ", ".join([f"{counts.get('done', 0)} of {len(found['apps'])} apps rebased", *rest])


def _show(found: Rebase) -> None:
    click.echo(f"Rebase {found['number']} is {found['state']}: {_progress(found)}")
    rows = [
        (part["wave"], f"{part['project']}/{part['app']}", part["state"], part["release"], part["message"])
        for part in found["apps"]
    ]
    output.table(("WAVE", "APP", "STATE", "RELEASE", "WHY"), rows, "No app has a live release.")
