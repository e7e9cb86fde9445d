"""`paas up`: from a machine with its programs installed to a running platform with an example app."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from paas.actions import repairs
from paas.bootstrap import build_platform
from paas.bootstrap import engine as open_engine
from paas.core.recipes import Recipe
from paas.db import migrations
from paas.ops import engine, environment, example, images, processes, state, systemd
from paas.ops.environment import Person
from paas.ops.steps import Steps
from paas.settings import Settings

EXAMPLE_DONE = "example-done"
"""Made once: an example that was deleted stays deleted."""


@dataclass(frozen=True)
class Wanted:
    """What of `up` is a choice."""

    example: bool = True
    person: Person | None = None
    """Whose paasctl is logged in; nobody's if absent."""
    image_owner: str = ""
    """The label on the images that are made; empty: this installation."""
    at_boot: bool = True
    """Where there is systemd, it starts the platform at each boot."""


@dataclass(frozen=True)
class Outcome:
    """What the operator is told at the end."""

    app_url: str
    answer: str
    credentials: Path


def prepare(settings: Settings, steps: Steps) -> str:
    """All but running processes and images; the installation's id. Raises Conflict, InvalidInput, Unavailable."""
    with steps.step("Ports, state folder, secrets") as say:
        state.check_path(settings.state)
        processes.check_ports(settings)
        installation = state.prepare(settings)
        environment.keep(settings)
        processes.write_files(settings)
        say(str(settings.state))
    with steps.step("Docker Engine") as say:
        say(engine.ensure(settings))
    with steps.step("Database"):
        migrations.upgrade(settings.database)
    return installation


def up(settings: Settings, wanted: Wanted, steps: Steps) -> Outcome:
    """Everything is there and works; what was there already is left alone."""
    installation = prepare(settings, steps)
    with steps.step("Processes") as say:
        told = processes.start(settings, at_boot=wanted.at_boot)
        say(told)
    made = _images(settings, wanted.image_owner or installation, steps)
    with steps.step("Waiting until every part works"):
        processes.await_all(settings)
    with steps.step("Builder images into the registry") as say:
        images.push_builders(settings, open_engine(settings), made, say)
    return _finish(settings, wanted, told == "started", steps)


def _images(settings: Settings, owner: str, steps: Steps) -> list[Recipe]:
    opened = open_engine(settings)
    wanted = images.recipes(settings)
    with images.alone(settings):
        with steps.step("Base image") as say:
            images.make_bases(settings, opened, owner, wanted, say)
        with steps.step("Builder images") as say:
            images.make_builders(settings, opened, owner, wanted, say)
    return wanted


def _finish(settings: Settings, wanted: Wanted, is_fresh: bool, steps: Steps) -> Outcome:
    platform = build_platform(settings)
    with contextlib.closing(platform.registry):
        if is_fresh:
            with steps.step("Routes"):
                repairs.restore_routes(platform)
        with steps.step("First admin") as say:
            example.first_admin(settings, platform, say)
    platform.db.engine.dispose()
    if wanted.person:
        with steps.step("This machine's paasctl") as say:
            example.login(settings, wanted.person, say)
    answer = _example(settings, wanted.person, steps) if wanted.example and wanted.person else ""
    url = settings.app_url(example.PROJECT, example.APP) if answer else ""
    return Outcome(url, answer, example.credentials(settings))


def _example(settings: Settings, person: Person, steps: Steps) -> str:
    """What the example app answers; empty where its user has deleted it."""
    mark = settings.state / EXAMPLE_DONE
    with steps.step("Example app, by git push") as say:
        if mark.exists() and not example.is_there(settings, person):
            say("was deleted, and stays so")
            return ""

        def show(line: str) -> None:
            steps.say(f"       {line}")

        answer = example.push(settings, person, show)
        mark.touch()
    return answer


def reboot_note() -> str:
    """How the platform comes back after a reboot."""
    if systemd.is_here():
        return "After a reboot systemd brings everything back."
    return "This machine has no systemd: after a reboot `make up` brings everything back."
