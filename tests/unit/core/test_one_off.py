"""A one-off command runs in the environment of the app's processes."""

from __future__ import annotations

import pytest

from paas.core.processes import one_off

LAUNCHER = "/cnb/lifecycle/launcher"


@pytest.mark.parametrize(
    ("command", "processes", "argv"),
    [
        (("env",), [("/cnb/process/web",)], (LAUNCHER, "--", "env")),
        (("env",), [("gunicorn", "app:app")], ("env",)),
        (("env",), [], ("env",)),
        (("/cnb/process/worker",), [("/cnb/process/web",)], ("/cnb/process/worker",)),
        ((LAUNCHER, "env"), [("/cnb/process/web",)], (LAUNCHER, "env")),
    ],
)
def test_command_goes_through_the_launcher_where_the_image_has_one(command, processes, argv) -> None:
    assert one_off(command, processes) == argv
