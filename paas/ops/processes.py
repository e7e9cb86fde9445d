"""The platform's processes: their files written, the supervisor running them, each asked until it works.

A second start leaves alone what did not change, so that apps keep their router and followers their stream.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from paas.bootstrap import router
from paas.errors import Conflict
from paas.ops import checks, environment, listeners, procfile, render, state, supervisor, systemd
from paas.ops.environment import ROOT
from paas.settings import Settings

STARTED = "started.json"
_OWN = ("gunicorn", "python", "paas")
_FILES = {"redis": ("run/redis.conf",), "registry": ("run/registry.yml",)}
"""What makes a restart necessary. The router reads its own file anew when it changes."""


def programs(settings: Settings) -> dict[str, list[str]]:
    """What the Procfile starts here; an external Redis is not ours to start."""
    found = procfile.read(ROOT / "Procfile", environment.as_environ(settings))
    if settings.redis_url:
        del found["redis"]
    return found


def check_ports(settings: Settings) -> None:
    """The ports are free or ours already. Raises Conflict naming who is in the way."""
    ours = supervisor.family(supervisor.pid(settings)) if supervisor.is_running(settings) else []
    for name in ("port", "registry_port"):
        number = getattr(settings, name)
        holder, command = listeners.listener(number)
        if command and holder not in ours:
            raise Conflict(
                f"port {number} is taken by {command}" + (f" (process {holder})" if holder else ""),
                hint=f"Stop it, or choose another port: make up PAAS_{name.upper()}=...",
                field=f"PAAS_{name.upper()}",
            )


def write_files(settings: Settings) -> None:
    """All that the processes read when they start."""
    run = settings.run_folder
    for path, text in (
        (run / "redis.conf", render.redis(settings)),
        (run / "registry.yml", render.registry(settings, state.registry_secret(settings))),
        (supervisor.config(settings), render.supervisord(settings, programs(settings), ROOT)),
    ):
        state.write_private(path, text)
    router(settings).write_initial()


def start(settings: Settings, *, at_boot: bool) -> str:
    """They run as the files say; says what was done. Raises Unavailable."""
    wanted = fingerprints(settings)
    note = settings.run_folder / STARTED
    before: dict[str, str] = json.loads(note.read_text()) if note.exists() else {}
    changed = supervisor.changed(before, wanted)
    if supervisor.is_running(settings) and "supervisor" not in changed:
        if changed:
            supervisor.restart(settings, changed)
        told = f"restarted: {', '.join(changed)}" if changed else "were running"
    else:
        stop(settings)
        _start(settings, at_boot)
        told = "started"
    note.write_text(json.dumps(wanted))
    return told


def stop(settings: Settings) -> bool:
    """They end; False if none ran. Instances are the engine's and go on. Raises Unavailable."""
    was_running = supervisor.is_running(settings)
    if was_running and systemd.is_here():
        systemd.stop(settings)
    return supervisor.stop(settings) or was_running


def await_all(settings: Settings, seconds: float = 60) -> None:
    """Return once each does its work. Raises Unavailable."""
    names = [name for name in checks.PROCESSES if name != "redis" or not settings.redis_url]
    checks.await_all(settings, names, seconds)


def fingerprints(settings: Settings) -> dict[str, str]:
    """By program what it was started from; `supervisor` stands for what all of them share."""
    found = {"supervisor": _digest([json.dumps(supervisor.environ(settings)), supervisor.config(settings).read_text()])}
    code = _digest([path.read_text() for path in sorted((ROOT / "paas").rglob("*.py"))])
    for name, argv in programs(settings).items():
        files = [(settings.state / file).read_text() for file in _FILES.get(name, ())]
        found[name] = _digest([*argv, *files, code if _is_own(argv) else ""])
    return found


def _start(settings: Settings, at_boot: bool) -> None:
    if at_boot and systemd.is_here():
        systemd.start(settings)
        supervisor.await_answer(settings)
    else:
        supervisor.start(settings)


def _is_own(argv: Sequence[str]) -> bool:
    return any(Path(word).name in _OWN for word in argv[:3])


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def pids(settings: Settings, name: str) -> list[int]:
    """The process ids of one program and of all that it started."""
    found: Mapping[str, supervisor.Process] = supervisor.processes(settings)
    return supervisor.family(found[name].pid) if name in found and found[name].pid else []
