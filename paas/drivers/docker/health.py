"""Wait until an instance is healthy, or tell why it will not be.

Asked from the host, 20 times a second, straight at the instance's address. An instance that ends while it is
awaited has failed at once: the engine does not restart it before it was healthy.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from paas.core.processes import DEFAULT_PORT, HealthCheck, is_healthy_status
from paas.drivers.docker import listening
from paas.drivers.docker.client import Engine
from paas.errors import DeployFailed, NotFound

PAUSE = 0.05
_ANSWER = 5.0
"""Seconds one request may take."""
_STATUS_LINE = 8 * 1024
_STAGE = "health"
_EXITS = {
    126: "The command is not executable.",
    127: "The command was not found in the image; compare it with the Procfile.",
    137: "It was killed (SIGKILL).",
    143: "It was stopped (SIGTERM).",
}


@dataclass(frozen=True)
class Awaited:
    """An instance and how its health is told."""

    container: str
    name: str
    address: str
    host: str
    """What the request names as its host."""
    check: HealthCheck
    timeout: float


def wait(engine: Engine, awaited: Awaited) -> None:
    """Return once it is healthy. Raises DeployFailed (crashed, out_of_memory, health_timeout)."""
    deadline = time.monotonic() + awaited.timeout
    restarts: int | None = None
    while True:
        shown = _inspect(engine, awaited)
        restarts = shown["RestartCount"] if restarts is None else restarts
        if not _is_up(shown, restarts):
            raise crashed(awaited.name, shown)
        seen = _look(awaited, shown["State"], deadline)
        if not seen:
            return
        if awaited.check.kind != "up" and time.monotonic() > deadline:
            raise _timed_out(awaited, seen, listening.of_process(shown["State"]["Pid"]))
        time.sleep(PAUSE)


def crashed(name: str, shown: Mapping[str, Any]) -> DeployFailed:
    """What became of a container that ended."""
    state = shown["State"]
    code = int(state["ExitCode"])
    if state["OOMKilled"]:
        limit = int(shown["HostConfig"]["Memory"]) // (1024 * 1024)
        return DeployFailed(
            f"{name} was killed: it needed more than its {limit} MiB of memory",
            reason="out_of_memory",
            stage=_STAGE,
            hint="Use fewer worker processes or threads, or ask for a higher limit.",
            exit_code=code,
        )
    return DeployFailed(
        f"{name} exited with code {code} before it was healthy",
        reason="crashed",
        stage=_STAGE,
        hint=_EXITS.get(code, "Its last lines tell why."),
        exit_code=code,
    )


def _inspect(engine: Engine, awaited: Awaited) -> Mapping[str, Any]:
    try:
        with engine.door("look at an instance") as api:
            shown: Mapping[str, Any] = api.inspect_container(awaited.container)
            return shown
    except NotFound as error:
        raise DeployFailed(
            f"{awaited.name} was removed while its health was awaited", reason="crashed", stage=_STAGE
        ) from error


def _is_up(shown: Mapping[str, Any], restarts: int) -> bool:
    state = shown["State"]
    return bool(state["Running"]) and not state["Restarting"] and shown["RestartCount"] == restarts


def _look(awaited: Awaited, state: Mapping[str, Any], deadline: float) -> str:
    """Empty if it is healthy, else what was seen instead."""
    check = awaited.check
    if check.kind == "up":
        age = datetime.now(UTC) - datetime.fromisoformat(state["StartedAt"])
        return "" if age.total_seconds() >= check.uptime else "it has not been up for long enough"
    limit = max(PAUSE, min(_ANSWER, deadline - time.monotonic()))
    try:
        with socket.create_connection((awaited.address, DEFAULT_PORT), timeout=limit) as connection:
            return "" if check.kind == "port" else _ask(connection, awaited, limit)
    except TimeoutError:
        return f"port {DEFAULT_PORT} did not accept a connection"
    except OSError as error:
        return f"port {DEFAULT_PORT}: {(error.strerror or str(error)).lower()}"


def _ask(connection: socket.socket, awaited: Awaited, limit: float) -> str:
    """GET the path. By hand, as no more than the status line is wanted and all of it within one time limit."""
    end = time.monotonic() + limit
    path = awaited.check.path.encode("utf-8", "surrogateescape").decode("latin-1")
    request = f"GET {path} HTTP/1.1\r\nHost: {awaited.host}\r\nUser-Agent: paas-health\r\nConnection: close\r\n\r\n"
    line = b""
    try:
        connection.sendall(request.encode("latin-1"))
        while b"\n" not in line and len(line) < _STATUS_LINE:
            connection.settimeout(max(0.001, end - time.monotonic()))
            data = connection.recv(_STATUS_LINE)
            if not data:
                break
            line += data
    except TimeoutError:
        return f"GET {awaited.check.path} got no answer within {limit:.0f} s"
    status = _status(line)
    if status is None:
        return f"GET {awaited.check.path} was not answered in HTTP"
    return "" if is_healthy_status(awaited.check, status) else f"GET {awaited.check.path} answered {status}"


def _status(line: bytes) -> int | None:
    parts = line.split(b"\n", 1)[0].split()
    is_http = len(parts) > 1 and parts[0].startswith(b"HTTP/1.") and parts[1].isdigit() and len(parts[1]) == 3
    return int(parts[1]) if is_http else None


def _timed_out(awaited: Awaited, seen: str, places: set[listening.Place]) -> DeployFailed:
    place = listening.describe(places, DEFAULT_PORT)
    hint = f"Listen on 0.0.0.0 and on the port in the PORT variable ({DEFAULT_PORT})."
    if place == f"it listens on port {DEFAULT_PORT}":
        place, hint = "", "See what it was doing in its last lines, or name another path in app.json."
    return DeployFailed(
        f"{awaited.name} was not healthy on port {DEFAULT_PORT} within {awaited.timeout:.0f} s: "
        + ("; ".join(part for part in (seen, place) if part)),
        reason="health_timeout",
        stage=_STAGE,
        hint=hint,
        port=DEFAULT_PORT,
    )
