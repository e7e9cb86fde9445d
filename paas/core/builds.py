"""A build's states, and what a build is given and gives back.

queued -> running -> succeeded | failed | cancelled; a running build whose worker was lost
goes back to queued, at most `MAX_ATTEMPTS` times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from paas.core.names import AppId, BuildId, ProjectId
from paas.core.processes import HealthCheck
from paas.errors import Conflict

MAX_ATTEMPTS = 3


class State(StrEnum):
    queued = "queued"
    running = "running"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (State.succeeded, State.failed, State.cancelled)


class Event(StrEnum):
    claim = "claim"
    lose = "lose"
    give_up = "give_up"
    succeed = "succeed"
    fail = "fail"
    cancel = "cancel"


_MOVES = {
    (State.queued, Event.claim): State.running,
    (State.queued, Event.cancel): State.cancelled,
    (State.queued, Event.fail): State.failed,
    (State.running, Event.lose): State.queued,
    (State.running, Event.give_up): State.failed,
    (State.running, Event.succeed): State.succeeded,
    (State.running, Event.fail): State.failed,
    (State.running, Event.cancel): State.cancelled,
}


def advance(state: State, event: Event) -> State:
    """The state after the event. Raises Conflict where the event does not fit the state."""
    try:
        return _MOVES[state, event]
    except KeyError:
        raise Conflict(f"a build that is {state} cannot {event}", hint="See `paasctl builds list`.") from None


@dataclass(frozen=True)
class Limits:
    """Of one sandbox: seconds, bytes, CPUs, processes."""

    seconds: int
    memory: int
    cpus: int
    processes: int


@dataclass(frozen=True)
class BuildSpec:
    """All that a build is made from."""

    id: BuildId
    number: int
    app_id: AppId
    project_id: ProjectId
    app: str
    source_digest: str
    commit: str
    ref: str
    builder: str = ""
    """The builder that the app's owner chose; empty: detect."""
    author: str = ""
    message: str = ""


@dataclass(frozen=True)
class LayerNote:
    """One line of a build's ledger."""

    name: str
    """`dependencies` or `source`."""
    digest: str
    size: int
    """Compressed, in bytes."""
    state: str
    """new, reused"""
    reason: str
    pushed: int = 0
    """Bytes that this build sent to the registry for it."""


@dataclass(frozen=True)
class BuildResult:
    """What a build made: an image by digest and what the source says about running it."""

    image: str
    """Digest of the manifest, in the repository `apps/APP_ID`."""
    builder: str
    processes: Mapping[str, tuple[str, ...]]
    """Argument list by process type."""
    release_command: tuple[str, ...] = ()
    health: Mapping[str, HealthCheck] = field(default_factory=dict)
    ledger: tuple[LayerNote, ...] = ()
    stages: Mapping[str, int] = field(default_factory=dict)
    """Milliseconds by stage: fetch, detect, assemble, export."""
    facts: Mapping[str, Any] = field(default_factory=dict)
