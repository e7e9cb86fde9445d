"""`paas down` and `paas clean`: stop what runs; remove what was made, by name and label, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

from paas.bootstrap import INSTALLATION
from paas.bootstrap import engine as open_engine
from paas.bootstrap import installation as read_installation
from paas.ops import engine, environment, example, images, processes, state, systemd
from paas.ops.environment import Person
from paas.ops.steps import Steps
from paas.ops.up import EXAMPLE_DONE
from paas.settings import Settings
from paas.workshop import PUSHED, UPDATES

FILES = (
    "paas.db",
    "paas.db-wal",
    "paas.db-shm",
    environment.KEPT,
    PUSHED,
    UPDATES,
    state.CREDENTIALS,
    EXAMPLE_DONE,
    INSTALLATION,
)
"""What the state folder holds besides its folders; the installation's id goes last."""


def down(settings: Settings, steps: Steps) -> None:
    """The platform's processes end; instances and the engine go on."""
    with steps.step("Stopping the platform") as say:
        say("stopped; apps go on in the engine" if processes.stop(settings) else "was not running")


def clean(settings: Settings, person: Person | None, steps: Steps) -> list[str]:
    """What this installation made is gone; what was left, because somebody else put it there."""
    installation = read_installation(settings)
    if person:
        with steps.step("Logging paasctl out"):
            example.logout(settings, person)
    down(settings, steps)
    if systemd.is_here():
        systemd.remove(settings)
    with steps.step("Containers, networks and images") as say:
        engine.ensure(settings)
        with images.alone(settings):
            counts = images.remove(settings, open_engine(settings), installation)
        say(", ".join(f"{count} {name}" for name, count in counts.items()))
    with steps.step("The Docker Engine, if it was started here") as say:
        say("stopped" if engine.stop_own(settings) else "was not")
    with steps.step("State folder"):
        return remove_state(settings.state)


def remove_state(folder: Path) -> list[str]:
    """Only what is ours; the names that are left in it."""
    for name in state.FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    left = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if folder.exists() and not left:
        folder.rmdir()
    return left
