"""The Docker Engine: the one that answers is used; where none does, it is started.

One that we started runs on its own, apart from the platform's supervisor: apps outlive `down`. `clean` ends it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from paas import programs
from paas.bootstrap import engine
from paas.errors import PaasError, Unavailable
from paas.ops import systemd
from paas.settings import Settings

USUAL = ("unix:///var/run/docker.sock", "unix:///run/docker.sock")
PID = "dockerd.pid"
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_PAUSE = 0.1
_started: list[subprocess.Popen[bytes]] = []
"""Kept, or else Python warns at its own end about a process that goes on as it should."""


def version(settings: Settings) -> str:
    """Raises Unavailable where no engine answers."""
    with engine(settings).door("tell its version") as api:
        return str(api.version()["Version"])


def ensure(settings: Settings) -> str:
    """An engine answers; says which. Raises Unavailable."""
    try:
        return f"Docker Engine {version(settings)}, was running"
    except Unavailable as error:
        if settings.docker_host not in USUAL:
            raise Unavailable(error.message, hint="PAAS_DOCKER_HOST names another engine: start that one.") from error
    if systemd.is_here():
        systemd.control("start", "docker")
    else:
        _start(settings)
    return f"Docker Engine {_await(settings)}, started"


def stop_own(settings: Settings) -> bool:
    """End the engine if it was us who started it, and with it all its containers."""
    path = settings.run_folder / PID
    number = own_pid(settings)
    if number:
        os.kill(number, signal.SIGTERM)
        until = time.monotonic() + _STOP_SECONDS
        while _is_dockerd(number):
            if time.monotonic() > until:
                raise Unavailable(f"dockerd (process {number}) does not end", hint=f"See {_log(settings)}.")
            _started[:] = [process for process in _started if process.poll() is None]
            time.sleep(_PAUSE)
    path.unlink(missing_ok=True)
    return number != 0


def own_pid(settings: Settings) -> int:
    """Process id of the engine that we started; 0 if there is none."""
    try:
        number = int((settings.run_folder / PID).read_text())
    except (OSError, ValueError):
        return 0
    return number if _is_dockerd(number) else 0


def _start(settings: Settings) -> None:
    log = _log(settings)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = {"HTTP_PROXY": settings.http_proxy, "HTTPS_PROXY": settings.https_proxy, "NO_PROXY": settings.no_proxy}
    proxies = {name: value for name, value in names.items() if value}
    with log.open("ab") as output:
        process = programs.start(["dockerd"], cwd=Path("/"), env=proxies, stdout=output, stderr=output)
    _started.append(process)
    (settings.run_folder / PID).write_text(str(process.pid))


def _await(settings: Settings) -> str:
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            return version(settings)
        except PaasError as error:
            ended = any(process.poll() is not None for process in _started)
            if ended or time.monotonic() > until:
                hint = "See `journalctl -u docker`." if systemd.is_here() else f"Its last words: {_tail(settings)}"
                raise Unavailable("the Docker Engine does not start", hint=hint) from error
        time.sleep(_PAUSE)


def _log(settings: Settings) -> Path:
    return settings.state / "log" / "dockerd.log"


def _tail(settings: Settings) -> str:
    return _log(settings).read_text(errors="replace").strip()[-400:]


def _is_dockerd(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/comm").read_text().strip() == "dockerd"
    except OSError:
        return False
