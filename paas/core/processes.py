"""Process types, instances and how their health is told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from paas.errors import InvalidInput

MAX_INSTANCES = 100
DEFAULT_PORT = 8080


@dataclass(frozen=True)
class HealthCheck:
    """When an instance counts as healthy.

    `http`: GET `path` answers; with the default path any answer below 500 counts, with a path the user
    named it must be 200 to 399. `port`: the port accepts a connection. `up`: it still runs after `uptime` seconds.
    """

    kind: str = "http"
    path: str = "/"
    named: bool = False
    """The user named the path."""
    timeout: int = 0
    """Seconds to become healthy; 0: the platform's default."""
    uptime: int = 3

    def to_json(self) -> dict[str, object]:
        return asdict(self)


LAUNCHER, LAUNCHED = "/cnb/lifecycle/launcher", "/cnb/process/"
"""Of an image that buildpacks made."""


def one_off(command: tuple[str, ...], processes: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """A command in the environment of the app's processes: where a launcher makes that, it starts the command too."""
    is_launched = any(process and process[0].startswith(LAUNCHED) for process in processes)
    return (LAUNCHER, "--", *command) if is_launched and not command[0].startswith("/cnb/") else command


def default_check(process: str) -> HealthCheck:
    """`web` must answer HTTP; anything else must stay up."""
    return HealthCheck() if process == "web" else HealthCheck(kind="up")


def is_healthy_status(check: HealthCheck, status: int) -> bool:
    """Does this HTTP status pass the check?"""
    return 200 <= status < 400 if check.named else status < 500


def parse_app_json(content: bytes) -> dict[str, HealthCheck]:
    """Health checks by process type from app.json (Dokku's `healthchecks` superset: path, listening, timeout, uptime).

    Raises InvalidInput naming the key.
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidInput(
            "app.json is not valid JSON", field="app.json", hint="Check it with `python -m json.tool`."
        ) from None
    checks = data.get("healthchecks", {}) if isinstance(data, dict) else {}
    if not isinstance(checks, dict):
        raise InvalidInput(
            "app.json: healthchecks must be an object", field="healthchecks", hint="One list per process type."
        )
    return {process: _parse_checks(process, listed) for process, listed in checks.items() if listed}


def _parse_checks(process: str, listed: object) -> HealthCheck:
    where = f"app.json: healthchecks.{process}"
    first = listed[0] if isinstance(listed, list) else None
    if not isinstance(first, dict):
        raise InvalidInput(
            f"{where} must be a list of objects", field="healthchecks", hint='For example [{"path": "/healthz"}]'
        )
    return _parse_check(where, first)


def _parse_check(where: str, check: Mapping[str, object]) -> HealthCheck:
    path, timeout, uptime = check.get("path"), check.get("timeout", 0), check.get("uptime", 3)
    for name, value in (("timeout", timeout), ("uptime", uptime)):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 3600:
            raise InvalidInput(f"{where}.{name} must be 0 to 3600 seconds", field=name, hint="Give a whole number.")
    assert isinstance(timeout, int)
    assert isinstance(uptime, int)
    if path is not None:
        if not isinstance(path, str) or not path.startswith("/") or any(c <= " " or c == "\x7f" for c in path):
            raise InvalidInput(
                f"{where}.path must start with '/' and have no spaces", field="path", hint="For example /healthz"
            )
        return HealthCheck("http", path, named=True, timeout=timeout, uptime=uptime)
    if check.get("listening") is True:
        return HealthCheck("port", timeout=timeout, uptime=uptime)
    return HealthCheck("up", timeout=timeout, uptime=uptime)


def check_formation(formation: Mapping[str, int], known: Mapping[str, object]) -> dict[str, int]:
    """A valid formation. Raises InvalidInput naming the process type."""
    for process, count in formation.items():
        if process not in known:
            raise InvalidInput(
                f"there is no process type {process!r}",
                field="process type",
                hint=f"There are: {', '.join(known) or 'none yet'}.",
            )
        if not 0 <= count <= MAX_INSTANCES:
            raise InvalidInput(
                f"{process}={count} is not between 0 and {MAX_INSTANCES}", field=process, hint="Give a smaller number."
            )
    return dict(formation)


def initial_formation(processes: Mapping[str, object], scaled: Mapping[str, int]) -> dict[str, int]:
    """How many of each: what the user scaled, else one `web` and none of the others (Heroku's rule)."""
    return {process: scaled.get(process, 1 if process == "web" else 0) for process in processes}
