"""How things stand: the app one works on, the platform under it, and both versions."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import click

from paas.cli import apps, options, output, target
from paas.cli.client import AppApi
from paas.cli.session import Session
from paas.errors import InvalidInput, PaasError, Unavailable

VERSION_SECONDS = 2.0


@click.command()
@click.argument("app_name", metavar="[APP]", default="", shell_complete=options.complete_app)
@click.option("--app", "-a", default="", metavar="NAME", shell_complete=options.complete_app, help="App.")
@options.project
@click.option("--platform", is_flag=True, help="Only the platform, whatever app one stands in.")
@options.as_json
@click.pass_obj
def status(session: Session, app_name: str, app: str, project: str, platform: bool, as_json: bool) -> None:
    """Show how APP and the platform stand."""
    found = None if platform else _app_or_none(session, app or app_name, project)
    api = found.api if found else session.api()
    told: dict[str, Any] = {"app": None, "build": None, "instances": [], "platform": api.get("/status")}
    if found:
        told["app"] = found.get()
        told["build"] = next(iter(found.get("/builds", limit=1)["items"]), None)
        told["instances"] = found.get("/processes")["items"]
    if as_json:
        output.as_json(told)
        return
    _show(told)


def _app_or_none(session: Session, app: str, project: str) -> AppApi | None:
    """Without a name it is fine to stand nowhere: then the platform alone is shown."""
    try:
        return target.find_app(session, app, project)
    except InvalidInput as error:
        if app or project or error.facts.get("field") != "app":
            raise
        return None


def _show(told: dict[str, Any]) -> None:
    if told["app"]:
        running = sum(instance["state"] == "running" for instance in told["instances"])
        more: dict[str, object] = {"instances": f"{running} running of {len(told['instances'])}"}
        if build := told["build"]:
            more["last build"] = f"{build['number']} {build['state']} {build['waiting'] or build['error']}"
        apps.show(told["app"], more)
        click.echo()
    platform = told["platform"]
    builds = f"{platform['builds'].get('running', 0)} running, {platform['builds'].get('queued', 0)} queued"
    output.facts({"platform": platform["state"], "version": platform["version"], "builds": builds})
    click.echo()
    rows = [(part["name"], "ok" if part["ok"] else "failed", part["detail"]) for part in platform["parts"]]
    output.table(("PART", "STATE", "DETAIL"), rows, "It names no parts.")


@click.command("open")
@options.takes_app(positional=True)
@click.option("--print", "only_print", is_flag=True, help="Only print the address.")
@click.option("--check", is_flag=True, help="Ask the app instead of opening a browser; exit code 75 without an answer.")
@click.pass_obj
def open_app(session: Session, app: AppApi, only_print: bool, check: bool) -> None:
    """Open APP in the browser, and print its address."""
    url = app.get()["url"]
    click.echo(url)
    if check:
        _check(session, url)
    elif not only_print:
        if urlsplit(url).scheme not in ("http", "https"):
            raise InvalidInput(f"{output.clean(url)} is not an address for a browser", field="url")
        import webbrowser

        if not (session.environment.has_browser and webbrowser.open(url)):
            output.note("There is no browser here: open the address yourself, or ask the app with --check.")


def _check(session: Session, url: str) -> None:
    started = time.monotonic()
    code = session.open(url.rstrip("/")).probe()
    output.note(f"HTTP status {code} after {(time.monotonic() - started) * 1000:.0f} ms")
    if code in (502, 503, 504):
        raise Unavailable(f"{url} has no instance that answers", hint="See `paasctl ps` and `paasctl logs`.")


@click.command()
@options.as_json
@click.pass_obj
def version(session: Session, as_json: bool) -> None:
    """Show the versions of paasctl and of the platform."""
    from importlib import metadata

    own = metadata.version("paas")
    try:
        server = session.server()
        there = str(session.open(server.url, server.token, VERSION_SECONDS).get("/status")["version"])
    except PaasError:
        there = ""
    if as_json:
        output.as_json({"paasctl": own, "platform": there or None})
        return
    output.facts({"paasctl": own, "platform": there or "not asked: not logged in, or not reachable"})
