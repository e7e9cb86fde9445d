"""The command line itself: which commands there are, in which section of the help, and where they live.

A command's module is imported when it is used, so that `paasctl` starts fast.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from paas.cli import environment, errors
from paas.cli.session import Session

SECTIONS: dict[str, dict[str, str]] = {
    "Get in": {"login": "login", "logout": "login", "whoami": "login"},
    "Apps": {"apps": "apps", "open": "status.open_app", "status": "status"},
    "Source to release": {"deploy": "deploy", "builds": "builds", "releases": "releases", "images": "images"},
    "Platform": {"builders": "builders", "gc": "gc"},
    "Run": {"ps": "processes", "scale": "processes", "run": "processes", "logs": "events", "config": "config"},
    "People": {"projects": "projects", "access": "access", "users": "users", "tokens": "tokens"},
    "paasctl": {"completion": "completion", "git-credential": "git_credential", "version": "status"},
}
"""Module of each command by section and name; its attribute there where that is not the command's name."""
COMMANDS = {name: module for section in SECTIONS.values() for name, module in section.items()}


class Commands(click.Group):
    """The commands by section, imported when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(".")
        found = getattr(import_module(f"paas.cli.{module}"), attribute or cmd_name.replace("-", "_"))
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, names in SECTIONS.items():
            with formatter.section(section):
                shown = ((name, self.get_command(ctx, name)) for name in names)
                formatter.write_dl([(name, found.get_short_help_str(80)) for name, found in shown if found])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Push, run and watch apps on your own platform.

    \b
    paasctl login http://paas.localhost:7480
    paasctl apps create shop
    git push paas main
    paasctl logs -f

    The app is the one of the work tree's git remote `paas`; elsewhere name it with --app and --project.
    Every command that reads has --json. Exit codes: 0 done, 2 wrong input, 3 not found, 4 conflict,
    5 not logged in or not allowed, 6 quota, 50 build failed, 70 deploy failed, 75 platform not reachable.
    """
    if context.obj is None:
        context.obj = Session(environment.read())
    session: Session = context.obj
    session.debug = session.debug or debug
    context.color = False if session.environment.no_color else None
    context.call_on_close(session.close)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `paasctl`; returns the exit code."""
    session = Session(environment.read())

    def run() -> object:
        return cli.main(arguments, prog_name="paasctl", standalone_mode=False, obj=session)

    return errors.guard(run, lambda: session.debug)


if __name__ == "__main__":
    sys.exit(main())
