"""The operator's commands on a platform that runs."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from paas.errors import Conflict
from paas.ops import checks, processes, state
from tests.conftest import Installation, free_port
from tests.e2e.person import eventually


def down_parts(installation: Installation) -> list[str]:
    return [found.name for found in checks.check_all(installation.settings) if not found.ok]


def test_doctor_finds_every_part_well_and_says_its_version(installation: Installation) -> None:
    found = checks.check_all(installation.settings)
    assert [check for check in found if not check.ok] == []
    assert {check.name for check in found} == {*checks.PROCESSES, *checks.MACHINE}
    assert all(check.version for check in found if check.name not in ("disk", "secrets"))


def test_doctor_names_what_is_down_and_the_supervisor_brings_it_back(installation: Installation) -> None:
    worker = installation.pids("worker")
    os.kill(worker[0], signal.SIGSTOP)
    try:
        broken = checks.check(installation.settings, "worker")
    finally:
        os.kill(worker[0], signal.SIGKILL)
    assert not broken.ok
    assert "worker.log" in broken.remedy
    eventually(lambda: not down_parts(installation))
    assert installation.pids("worker") != worker


def test_second_up_leaves_running_processes_alone(installation: Installation) -> None:
    names = list(checks.PROCESSES)
    before = {name: installation.pids(name)[0] for name in names}
    installation.up()
    assert {name: installation.pids(name)[0] for name in names} == before


def test_taken_port_is_told_with_its_program(installation: Installation) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = replace(installation.settings, state=Path("/nonexistent"), port=taken.getsockname()[1])
        settings = replace(settings, registry_port=free_port())
        with pytest.raises(Conflict, match=rf"port {settings.port} is taken by .*python.*process {os.getpid()}"):
            processes.check_ports(settings)


def test_all_that_is_kept_is_closed_to_others(installation: Installation) -> None:
    folder = installation.settings.state
    assert folder.stat().st_mode & 0o077 == 0
    assert [path for path in state.secret_files(installation.settings) if path.stat().st_mode & 0o077] == []
    assert (folder / state.CREDENTIALS).stat().st_mode & 0o077 == 0
    sockets = [path for path in (folder / "run").iterdir() if path.is_socket()]
    assert len(sockets) >= 5
    assert [path.name for path in sockets if path.stat().st_mode & 0o077] == []
