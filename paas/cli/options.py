"""What many commands share: how an app or project is named, --json, --yes, and completion of names."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from paas.cli import environment, target
from paas.cli.session import Session
from paas.errors import InvalidInput, PaasError

Command = Callable[..., None]
COMPLETION_SECONDS = 2.0
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, with exact times.")
yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
no_cache = click.option("--no-cache", is_flag=True, help="Run every step, whatever is kept from earlier builds.")
no_wait = click.option("--no-wait", is_flag=True, help="Return at once instead of following the deploy.")


def _completer(path: Callable[[click.Context, Session], str], name: str) -> Callable[..., list[CompletionItem]]:
    """Names from a list of the API. Completion is a comfort: it may come back empty, and never fails or waits long."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        session = context.find_object(Session) or Session(environment.read())
        try:
            server = session.server()
            api = session.open(server.url, server.token, COMPLETION_SECONDS)
            items = api.get(path(context, session))["items"]
            return [CompletionItem(item[name]) for item in items if str(item[name]).startswith(incomplete)]
        except (PaasError, OSError, LookupError, TypeError, ValueError):
            return []
        finally:
            session.close()

    return complete


def _releases_path(context: click.Context, session: Session) -> str:
    given = context.params
    return target.find_app(session, given.get("app") or "", given.get("project") or "").path("/releases")


complete_app = _completer(lambda context, session: "/apps", "name")
complete_project = _completer(lambda context, session: "/projects", "name")
complete_release = _completer(_releases_path, "version")
project = click.option("--project", "-p", default="", metavar="NAME", shell_complete=complete_project, help="Project.")


def takes_app(*, positional: bool = False) -> Callable[[Command], Command]:
    """The command gets the app that is meant as its first argument."""

    def decorate(function: Command) -> Command:
        @click.option("--app", "-a", default="", metavar="NAME", shell_complete=complete_app, help="App.")
        @project
        @functools.wraps(function)
        @click.pass_obj
        def command(session: Session, /, app: str, project: str, app_name: str = "", **given: Any) -> None:
            if app and app_name and app != app_name:
                raise InvalidInput(f"{app_name!r} and --app {app!r} are two apps", field="app", hint="Name one.")
            function(target.find_app(session, app or app_name, project), **given)

        if not positional:
            return command
        return click.argument("app_name", metavar="[APP]", default="", shell_complete=complete_app)(command)

    return decorate


def takes_project(function: Command) -> Command:
    """The command gets the API and the project that is meant as its first two arguments."""

    @project
    @functools.wraps(function)
    @click.pass_obj
    def command(session: Session, /, project: str, **given: Any) -> None:
        function(*target.find_project(session, project), **given)

    return command


def confirm(what: str, name: str, is_sure: bool) -> None:
    """Let the user type the name of what will be gone. Raises InvalidInput where nobody is there to ask."""
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(f"nobody is here to confirm that {what} is to be removed for good", hint="Add --yes.")
    click.echo(f"This removes {what} for good, with all that belongs to it.", err=True)
    if click.prompt(f"Type {name} to go on", default="", show_default=False, err=True).strip() != name:
        raise InvalidInput("that is not its name: nothing was removed", hint="Try again, or add --yes.")


def parse_pairs(texts: tuple[str, ...], field: str) -> dict[str, str]:
    """`NAME=VALUE` arguments. Raises InvalidInput."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{text[:60]!r} is not NAME=VALUE", field=field, hint="Like web=2 or COLOUR=blue.")
        if name in pairs:
            raise InvalidInput(f"{name} is there twice", field=field, hint="Give it once.")
        pairs[name] = value
    return pairs
