"""The background supervisor: supervisord, or systemd holding supervisord where there is systemd.

It is asked through its socket in the state folder. A second start changes only what differs from the first.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import time
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paas import programs
from paas.errors import Unavailable
from paas.ops import environment
from paas.ops.render import GROUP, STOP_SECONDS
from paas.settings import Settings

CONFIG = "supervisord.conf"
_ANSWER_SECONDS = 60.0
_START_SECONDS = 15.0
_PAUSE = 0.05


@dataclass(frozen=True)
class Process:
    """One program as the supervisor sees it."""

    name: str
    state: str
    pid: int
    detail: str

    @property
    def is_running(self) -> bool:
        return self.state == "RUNNING"


def processes(settings: Settings) -> dict[str, Process]:
    """By name; empty where no supervisor runs. Raises Unavailable where it does not answer."""
    if not is_running(settings):
        return {}
    rows = _call(settings, "getAllProcessInfo")
    return {r["name"]: Process(r["name"], r["statename"], r["pid"], r["description"]) for r in rows}


def is_running(settings: Settings) -> bool:
    return pid(settings) != 0


def pid(settings: Settings) -> int:
    """The supervisor's process id; 0 if it does not run. A reused number is not taken for it."""
    try:
        number = int((settings.run_folder / "supervisord.pid").read_text())
        command = Path(f"/proc/{number}/cmdline").read_bytes()
    except (OSError, ValueError):
        return 0
    return number if str(config(settings)).encode() in command else 0


def config(settings: Settings) -> Path:
    return settings.run_folder / CONFIG


def argv(settings: Settings, *options: str) -> list[str]:
    return [str(environment.BIN / "supervisord"), "-c", str(config(settings)), *options]


def environ(settings: Settings) -> dict[str, str]:
    """What each of the platform's processes is started with: the settings, and where programs are."""
    own = {"PATH": environment.PATHS, "PYTHONDONTWRITEBYTECODE": "1"}  # the checkout may be another user's
    return {**programs.ENVIRONMENT, **own, **environment.as_environ(settings)}


def start(settings: Settings) -> None:
    """Start it in the background; return once it can be asked. Raises Unavailable."""
    log = settings.state / "log"
    done = programs.run(argv(settings), cwd=log, env=environ(settings), timeout=_START_SECONDS)
    if done.code:
        told = (done.stdout + done.stderr).decode("utf-8", "replace").strip()[-300:]
        raise Unavailable(f"supervisord does not start: {told}", hint=f"See {log / 'supervisord.log'}.")
    await_answer(settings)


def await_answer(settings: Settings) -> None:
    """Return once it can be asked. Raises Unavailable."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        try:
            if processes(settings):
                return
        except Unavailable:
            pass
        time.sleep(_PAUSE)
    raise Unavailable("supervisord does not answer", hint=f"See {settings.state / 'log' / 'supervisord.log'}.")


def stop(settings: Settings) -> bool:
    """End it and all that it runs; False if it did not run. Raises Unavailable."""
    number = pid(settings)
    if not number:
        return False
    os.kill(number, signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS * 2
    while time.monotonic() < until:
        if pid(settings) != number:
            return True
        time.sleep(_PAUSE)
    raise Unavailable(
        f"supervisord (process {number}) does not end", hint=f"See {settings.state / 'log' / 'supervisord.log'}."
    )


def restart(settings: Settings, names: list[str]) -> None:
    """Stop and start these programs. Raises Unavailable."""
    for name in names:
        _call(settings, "signalProcess", f"{GROUP}:{name}", "TERM")
    for name in names:  # waits for the end of each, which has begun for all
        _quietly(settings, "stopProcess", f"{GROUP}:{name}")
        _call(settings, "startProcess", f"{GROUP}:{name}", False)


def family(number: int) -> list[int]:
    """A process and all below it."""
    found = [number]
    try:
        for task in Path(f"/proc/{number}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    except OSError:  # it has ended
        return found
    return found


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Names whose fingerprint is another one now."""
    return [name for name, mark in after.items() if before.get(name) != mark]


def _quietly(settings: Settings, method: str, *arguments: object) -> None:
    try:
        _call(settings, method, *arguments)
    except Unavailable as error:
        if "NOT_RUNNING" not in error.message:
            raise


def _call(settings: Settings, method: str, *arguments: object) -> Any:
    address = settings.run_folder / "supervisor.sock"
    proxy = xmlrpc.client.ServerProxy("http://supervisor", transport=_UnixTransport(str(address)))
    try:
        with proxy:
            return getattr(proxy.supervisor, method)(*arguments)
    except xmlrpc.client.Fault as error:
        raise Unavailable(f"supervisord refuses {method}: {error.faultString}") from error
    except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
        raise Unavailable(f"supervisord does not answer: {error}", hint="Start the platform with `make up`.") from error


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket in a folder."""

    def __init__(self, path: str) -> None:
        super().__init__("supervisor", timeout=_ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path)
        self._connection = (host, connection)  # which the base class closes
        return connection
