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
    disk: int = 0
    """Of what it may write; 0: no limit."""


class Strategy(StrEnum):
    """How a source becomes an image; `auto` looks at the source."""

    auto = "auto"
    s2i = "s2i"
    buildpacks = "buildpacks"
    dockerfile = "dockerfile"
    image = "image"


class RunPolicy(StrEnum):
    """Which builds of one app may run at the same time (OpenShift's names)."""

    serial = "Serial"
    parallel = "Parallel"
    serial_latest_only = "SerialLatestOnly"
    """A newer build takes the place of those that still wait."""


@dataclass(frozen=True)
class BuildSettings:
    """What an app's owner set for its builds; a build keeps the ones it was queued with.

    Times in seconds, sizes in bytes; 0: the operator's default.
    """

    strategy: Strategy = Strategy.auto
    context_dir: str = ""
    """Folder of the source that is the app; empty: its top."""
    run_policy: RunPolicy = RunPolicy.serial
    environment: Mapping[str, str] = field(default_factory=dict)
    """Of the build and, as in S2I, of the image."""
    test_command: tuple[str, ...] = ()
    """Runs in the finished image; anything but 0 fails the build."""
    timeout: int = 0
    memory: int = 0
    cpus: int = 0
    disk: int = 0
    keep_succeeded: int = 0
    keep_failed: int = 0
    """How many ended builds stay in the history."""
    dockerfile: str = ""
    """Its path below the context; empty: `Dockerfile`."""
    target: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)
    scripts_url: str = ""
    runtime_image: str = ""
    runtime_artifacts: tuple[str, ...] = ()
    """`SOURCE[:DESTINATION]`, as `s2i build -a`."""
    incremental: bool = False
    injections: tuple[str, ...] = ()
    """`SECRET:/FOLDER`: a build secret as files that assemble sees and the image does not."""


@dataclass(frozen=True)
class Previous:
    """The app's last good build: what a ledger compares with and an incremental build starts from."""

    number: int
    image: str
    source_digest: str
    strategy: str
    builder: str
    ledger: tuple[LayerNote, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


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
    """The builder that the app's owner chose: `NAME`, `NAME:VERSION` or the reference of an S2I builder image from
    elsewhere (it has a `/`); empty: detect."""
    author: str = ""
    message: str = ""
    source_image: str = ""
    """Strategy `image`: the reference of the image that is deployed as it is; there is no source then."""
    settings: BuildSettings = field(default_factory=BuildSettings)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Build secrets by name: files in the sandbox, never in an image or a line."""
    no_cache: bool = False
    """Run every step, whatever is kept."""
    previous: Previous | None = None


@dataclass(frozen=True)
class LayerNote:
    """One line of a build's ledger."""

    name: str
    """`dependencies`, `source`, or what a buildpack or a splitter's rule calls it."""
    digest: str
    size: int
    """Compressed, in bytes."""
    state: str
    """new: the app had no such layer; changed: it had another one; reused: it was there already"""
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
    strategy: str = "s2i"
    facts: Mapping[str, Any] = field(default_factory=dict)
