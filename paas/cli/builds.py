"""Builds: list them, follow one, build again, cancel."""

from __future__ import annotations

from typing import Any

import click

from paas.cli import build_secrets, build_settings, events, options, output, releases
from paas.cli.client import AppApi
from paas.errors import BuildFailed, NotFound

Build = dict[str, Any]
number_argument = click.argument("number", type=click.IntRange(1), metavar="N")


@click.group()
def builds() -> None:
    """List, follow, repeat and cancel builds."""


builds.add_command(build_settings.settings)
builds.add_command(build_secrets.secrets)


@builds.command("list")
@options.takes_app()
@click.option("--limit", type=click.IntRange(1, 200), default=15, show_default=True, help="At most so many.")
@options.as_json
def list_(app: AppApi, limit: int, as_json: bool) -> None:
    """List an app's builds, newest first."""
    items = app.get("/builds", limit=limit)["items"]
    if as_json:
        output.as_json(items)
        return
    rows = [
        (
            b["number"],
            b["state"],
            output.short(b["commit"])[:7],
            b["waiting"] or b["error"] or b["message"].partition("\n")[0][:60],
            b["release"],
            b["created_by"],
            output.ago(b["created_at"]),
        )
        for b in items
    ]
    output.table(("BUILD", "STATE", "COMMIT", "WHAT", "RELEASE", "BY", "WHEN"), rows, "No builds: git push paas main")


@builds.command()
@number_argument
@options.takes_app()
@options.as_json
def info(app: AppApi, number: int, as_json: bool) -> None:
    """Show build N: what it was made from, how long each stage took, which layers are new."""
    found: Build = app.get(f"/builds/{number}")
    if as_json:
        output.as_json(found)
        return
    output.facts(
        {
            "build": found["number"],
            "state": found["state"],
            "waiting": found["waiting"],
            "trigger": _because(found),
            "source": found.get("source_location", ""),
            "strategy": found.get("strategy", ""),
            "settings": ", ".join(f"{name}={value}" for name, value in (found.get("settings") or {}).items()),
            "commit": f"{output.short(found['commit'])} {found['message'].partition(chr(10))[0]}",
            "author": found["author"],
            "builder": found["builder"],
            "image": found["image"],
            "release": found["release"],
            "by": found["created_by"],
            "made": output.ago(found["created_at"]),
            "took": output.took(found["started_at"], found["finished_at"]),
            "stages": ", ".join(f"{name} {ms} ms" for name, ms in (found["stages"] or {}).items()),
            "error": found["error"],
            "reason": " in ".join(filter(None, (found["reason"], found["stage"]))),
            "hint": found["hint"],
        }
    )
    if found["ledger"]:
        click.echo()
        output.table(("LAYER", "STATE", "SIZE", "PUSHED", "DIGEST", "WHY"), [_row(x) for x in found["ledger"]], "")


def _because(build: Build) -> str:
    why = build.get("trigger_message", "")
    return f"{build['trigger']}: {why}" if why else str(build["trigger"])


def _row(layer: dict[str, Any]) -> tuple[object, ...]:
    size, pushed = output.size(layer["size"]), output.size(layer["pushed"])
    return layer["name"], layer["state"], size, pushed, output.short(layer["digest"]), layer["reason"]


@builds.command()
@click.argument("number", type=click.IntRange(1), required=False, metavar="[N]")
@options.takes_app()
@click.option("--follow", "-f", is_flag=True, help="Go on until it ends; exit code 50 where it failed.")
@options.as_json
def logs(app: AppApi, number: int | None, follow: bool, as_json: bool) -> None:
    """Show the output of build N, by default the last one."""
    chosen = number or _last(app)
    app.get(f"/builds/{chosen}")
    source = f"build/{chosen}"
    events.show_source(app, source, follow, as_json)
    if follow:
        check(app.get(f"/builds/{chosen}"))


def _last(app: AppApi) -> int:
    items = app.get("/builds", limit=1)["items"]
    if not items:
        raise NotFound("there is no build yet", hint="Push first: git push paas main")
    return int(items[0]["number"])


@builds.command()
@options.takes_app()
@click.option("--from-build", type=click.IntRange(1), default=None, metavar="N", help="The source of build N.")
@options.no_cache
@options.no_wait
@options.as_json
def start(app: AppApi, from_build: int | None, no_cache: bool, no_wait: bool, as_json: bool) -> None:
    """Build the last source again, with the settings of now, and release it."""
    body = {"no_cache": no_cache} | ({"from_build": from_build} if from_build else {})
    follow(app, app.send("POST", "/builds", body), no_wait=no_wait, as_json=as_json)


@builds.command()
@number_argument
@options.takes_app()
@options.no_wait
@options.as_json
def retry(app: AppApi, number: int, no_wait: bool, as_json: bool) -> None:
    """Build what build N was made from once more, with the settings that it had, and release it."""
    follow(app, app.send("POST", f"/builds/{number}/retry"), no_wait=no_wait, as_json=as_json)


def follow(app: AppApi, build: Build, *, no_wait: bool, as_json: bool) -> None:
    """Show a build's lines, then its release's, and where it answers. Raises BuildFailed, DeployFailed."""
    if no_wait:
        if as_json:
            output.as_json(build)
        else:
            waiting = f": {build['waiting']}" if build["waiting"] else ""
            click.echo(f"Build {build['number']} is {build['state']}{waiting}.")
        return
    events.show_source(app, f"build/{build['number']}", follow=True, to_stderr=as_json)
    ended: Build = app.get(f"/builds/{build['number']}")
    check(ended)
    if not ended["release"]:
        raise NotFound("the app was deleted meanwhile")
    release = app.get(f"/releases/{releases.parse_version(ended['release'])}")
    live = releases.wait(app, release, quiet=as_json)
    if as_json:
        output.as_json({"build": ended, "release": live, "url": app.get()["url"]})
    else:
        click.echo(f"=====> {app.get()['url']} deployed to paas ({ended['release']})")


def check(build: Build) -> None:
    """Raises BuildFailed unless the build succeeded."""
    if build["state"] != "succeeded":
        what = "failed" if build["state"] == "failed" else f"is {build['state']}"
        told = f": {build['error']}" if build["error"] else ""
        raise BuildFailed(
            f"build {build['number']} {what}{told}",
            reason=build["reason"],
            stage=build["stage"],
            hint=build["hint"],
        )


@builds.command()
@number_argument
@options.takes_app()
def cancel(app: AppApi, number: int) -> None:
    """Stop build N, queued or running."""
    build = app.send("POST", f"/builds/{number}/cancel")
    click.echo(f"Build {build['number']} is {build['state']}.")
