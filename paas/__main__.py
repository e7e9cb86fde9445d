"""`paas`: the operator's commands on the platform's own machine. Users have `paasctl`."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import click

from paas.errors import InvalidInput, PaasError
from paas.ops import environment
from paas.ops.steps import Steps

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Start, stop, check and remove the platform on this machine. Settings: PAAS_* (docs/operators/settings.md)."""


@cli.command()
@click.option("--no-example", is_flag=True, help="Without the example app.")
@click.option("--no-login", is_flag=True, help="Without logging this machine's paasctl in; implies --no-example.")
def up(no_example: bool, no_login: bool) -> None:
    """Start the platform; make what it needs first. Safe to run again."""
    from paas.ops import up as verb

    steps = Steps()
    person = None if no_login else environment.person()
    wanted = verb.Wanted(example=not (no_example or no_login), person=person)
    settings = environment.read()
    outcome = verb.up(settings, wanted, steps)
    click.echo(f"\nThe platform is up, after {steps.seconds():.0f} s. {verb.reboot_note()}\n")
    if outcome.answer:
        click.echo(f"  App           {outcome.app_url}\n  it answered   {outcome.answer}")
    click.echo(f"  API           {settings.api_url}/api/v1\n  admin's login {outcome.credentials}\n")
    click.echo("Next, in the folder of an app of yours that is a git repository:\n")
    paasctl = "paasctl" if "VIRTUAL_ENV" in os.environ else environment.BIN / "paasctl"  # noqa: TID251
    click.echo(f"  {paasctl} projects create shop\n  {paasctl} apps create my-app --project shop")
    click.echo("  git push paas main")


@cli.command()
def down() -> None:
    """Stop the platform. Apps go on in the engine; `up` brings the rest back."""
    from paas.ops import down as verb

    verb.down(environment.read(), Steps())


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(yes: bool) -> None:
    """Remove the platform, its apps and all data, and nothing else."""
    from paas.ops import down as verb

    settings = environment.read()
    if not (settings.state / "installation").exists():
        click.echo(f"There is no platform in {settings.state}.")
        return
    if not yes:
        click.confirm(f"Remove the platform in {settings.state} with all its apps and their data?", abort=True)
    left = verb.clean(settings, environment.person(), Steps())
    for name in left:
        click.echo(f"left, because it is not the platform's: {settings.state / name}")
    click.echo("Debian packages that were installed stay; `apt-get remove` them if nothing else needs them.")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> int:
    """Ask each part to do its work; exit 1 if one does not."""
    from paas.ops import checks

    found = checks.check_all(environment.read())
    if as_json:
        click.echo(json.dumps([asdict(check) for check in found], indent=2))
    else:
        for check in found:
            word = click.style("ok  ", fg="green") if check.ok else click.style("DOWN", fg="red", bold=True)
            click.echo(f"{word}  {check.name:<11} {check.version:<15} {check.detail}".rstrip())
            if not check.ok:
                click.echo(f"      {'':<11} {'':<15} -> {check.remedy}")
    return 0 if all(check.ok for check in found) else 1


@cli.command("env")
def env_() -> None:
    """Print the settings that count, as shell variables."""
    for name, value in environment.as_environ(environment.read()).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@cli.command()
def migrate() -> None:
    """Bring the database's schema to this version."""
    from paas.db import migrations

    migrations.upgrade(environment.read().database)


@cli.command()
def logs() -> None:
    """Collect what instances write, until ended: one of the platform's own processes."""
    from paas.actions import logs as verb
    from paas.bootstrap import build_platform

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    verb.collect(build_platform(environment.read()), ended.is_set)


@cli.command()
def dev() -> int:
    """Run the processes in the foreground under honcho."""
    from paas.ops import dev as verb

    return verb.dev(environment.read(), Steps())


@cli.command(hidden=True)
def supervise() -> None:
    """Become the supervisor: what the systemd unit starts."""
    from paas.ops import supervisor

    settings = environment.read()
    argv = supervisor.argv(settings, "--nodaemon")
    os.execve(argv[0], argv, supervisor.environ(settings))  # noqa: S606 - systemd watches this very process


@cli.group()
def engine() -> None:
    """Start the Docker Engine where none answers, and stop the one that was started so."""


@engine.command("start")
def engine_start() -> None:
    from paas.ops import engine as verb

    click.echo(verb.ensure(environment.read()))


@engine.command("stop")
def engine_stop() -> None:
    from paas.ops import engine as verb

    click.echo("stopped" if verb.stop_own(environment.read()) else "none was started here")


@cli.group()
def builders() -> None:
    """The builders' images. `paasctl builders` shows and patches them."""


@builders.command("make")
@click.argument("names", nargs=-1, metavar="[NAME[:VERSION]|all]...")
def builders_make(names: tuple[str, ...]) -> None:
    """Make images now that would be made when first used; without names those of PAAS_READY_BUILDERS."""
    from paas.bootstrap import installation
    from paas.ops import images

    settings = environment.read()
    images.make(settings, installation(settings), " ".join(names), click.echo)


def main() -> int:
    """Entry point; returns the exit code. Errors become words here, bugs keep their traceback."""
    try:
        if os.geteuid() != 0 and not Path("/var/run/docker.sock").exists():
            raise InvalidInput("this needs root", hint="Use sudo, or bin/paas, which does.")
        code = cli.main(prog_name="paas", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except PaasError as error:
        click.echo(f" !     {error.message}", err=True)
        if error.hint:
            click.echo(f" !     {error.hint}", err=True)
        return error.exit_code
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
