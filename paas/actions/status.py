"""How the platform stands, for the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from sqlalchemy import func, select

from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.core.builds import State
from paas.db.models import Build
from paas.errors import PaasError


@dataclass(frozen=True)
class Part:
    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Status:
    version: str
    state: str
    parts: list[Part]
    builds: dict[str, int]


def get(platform: Platform, actor: Actor) -> Status:
    """Any user may ask; it names no tenant."""
    parts = [_part("database", lambda: _count(platform)), _part("registry", platform.registry.ping)]
    counts = _count(platform) if parts[0].ok else {}
    state = "ok" if all(part.ok for part in parts) else "degraded"
    return Status(metadata.version("paas"), state, parts, counts)


def _part(name: str, ask: Callable[[], object]) -> Part:
    try:
        ask()
    except PaasError as error:
        return Part(name, False, error.message)
    return Part(name, True, "")


def _count(platform: Platform) -> dict[str, int]:
    with platform.db.read() as session:
        query = select(Build.state, func.count(Build.id)).where(Build.state.in_((State.queued, State.running)))
        found = dict(session.execute(query.group_by(Build.state)).all())
    return {"queued": found.get(State.queued, 0), "running": found.get(State.running, 0)}
