"""A release's states, and the plan that brings an app's instances to it.

`plan` is a pure decision: what is wanted and what is observed give the steps, in order; a driver
applies them one by one. Running it again after a crash gives the steps that are still missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from paas.core.names import AppId, ProjectId, ReleaseId
from paas.core.processes import HealthCheck
from paas.errors import Conflict


class State(StrEnum):
    pending = "pending"
    deploying = "deploying"
    live = "live"
    failed = "failed"
    superseded = "superseded"


class Event(StrEnum):
    claim = "claim"
    lose = "lose"
    succeed = "succeed"
    fail = "fail"
    supersede = "supersede"


_MOVES = {
    (State.pending, Event.claim): State.deploying,
    (State.pending, Event.supersede): State.superseded,
    (State.pending, Event.fail): State.failed,
    (State.deploying, Event.lose): State.pending,
    (State.deploying, Event.succeed): State.live,
    (State.deploying, Event.fail): State.failed,
    (State.live, Event.supersede): State.superseded,
}


def advance(state: State, event: Event) -> State:
    """The state after the event. Raises Conflict where the event does not fit the state."""
    try:
        return _MOVES[state, event]
    except KeyError:
        raise Conflict(f"a release that is {state.value} cannot {event.value}") from None


@dataclass(frozen=True)
class ProcessSpec:
    """One process type of a release: `count` equal instances."""

    type: str
    command: tuple[str, ...]
    count: int
    check: HealthCheck
    routed: bool
    """It gets the app's requests (only `web` does)."""


@dataclass(frozen=True)
class DeploySpec:
    """All that running a release needs; names are for labels only."""

    app_id: AppId
    project_id: ProjectId
    release_id: ReleaseId
    number: int
    app: str
    project: str
    image: str
    """Full reference by digest."""
    env: Mapping[str, str]
    processes: tuple[ProcessSpec, ...]
    hosts: tuple[str, ...]

    def key(self, process: ProcessSpec) -> str:
        """Equal keys: an instance may stay. Counts and the release number are left out: scaling restarts nothing."""
        parts = [self.image, sorted(self.env.items()), process.type, process.command]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Instance:
    """One container as the engine shows it."""

    id: str
    """`RELEASE_ID-PROCESS-INDEX`: the same start twice gives the same instance."""
    process: str
    index: int
    key: str
    release: int
    running: bool
    routed: bool = False
    address: str = ""
    """host:port"""
    restarts: int = 0
    since: str = ""
    """Start time, ISO 8601."""

    @property
    def name(self) -> str:
        return f"{self.process}.{self.index}"


@dataclass(frozen=True)
class Start:
    """Create and start an instance; there already: nothing to do."""

    spec: DeploySpec
    process: ProcessSpec
    instance_id: str
    index: int


@dataclass(frozen=True)
class AwaitHealthy:
    """Return once the instance is healthy. Raises DeployFailed with the instance's last lines."""

    instance_id: str
    process: ProcessSpec
    name: str


@dataclass(frozen=True)
class Route:
    """From now on the app's requests go to exactly these instances; none: the router answers 503."""

    hosts: tuple[str, ...]
    instance_ids: tuple[str, ...]


@dataclass(frozen=True)
class Drain:
    """Return once the instances have no request left, or the drain timeout is over."""

    instance_ids: tuple[str, ...]


@dataclass(frozen=True)
class Stop:
    """SIGTERM, SIGKILL after the grace time, remove."""

    instance_id: str
    name: str


Step = Start | AwaitHealthy | Route | Drain | Stop


def instance_id(release_id: ReleaseId, process: str, index: int) -> str:
    return f"{release_id}-{process}-{index}"


def plan(spec: DeploySpec, observed: tuple[Instance, ...]) -> tuple[Step, ...]:
    """The steps from what is observed to what the release wants: start, wait, switch, drain, stop."""
    starts: list[Start] = []
    kept: list[tuple[Instance, ProcessSpec]] = []
    for process in spec.processes:
        same = [i for i in observed if i.running and i.process == process.type and i.key == spec.key(process)]
        same = sorted(same, key=lambda i: (i.index, not i.routed, -i.release))
        unique = {i.index: i for i in reversed(same) if i.index <= process.count}
        kept += [(i, process) for _, i in sorted(unique.items())]
        starts += [
            Start(spec, process, instance_id(spec.release_id, process.type, n), n)
            for n in range(1, process.count + 1)
            if n not in unique
        ]
    waits = [AwaitHealthy(i.id, p, i.name) for i, p in kept if p.routed and not i.routed]
    waits += [AwaitHealthy(s.instance_id, s.process, f"{s.process.type}.{s.index}") for s in starts]
    wanted = {i.id for i, _ in kept} | {s.instance_id for s in starts}
    return (*_remove_dead(starts, observed), *starts, *waits, *_switch(spec, kept, starts, observed, wanted))


def _remove_dead(starts: list[Start], observed: tuple[Instance, ...]) -> list[Stop]:
    """A start whose own instance is there but not running begins anew."""
    dead = {i.id: i for i in observed if not i.running}
    return [Stop(s.instance_id, dead[s.instance_id].name) for s in starts if s.instance_id in dead]


def _switch(
    spec: DeploySpec,
    kept: list[tuple[Instance, ProcessSpec]],
    starts: list[Start],
    observed: tuple[Instance, ...],
    wanted: set[str],
) -> tuple[Step, ...]:
    targets = {i.id for i, p in kept if p.routed} | {s.instance_id for s in starts if s.process.routed}
    routed_now = {i.id for i in observed if i.routed}
    old = sorted((i for i in observed if i.id not in wanted), key=lambda i: (i.process, i.index, i.id))
    draining = tuple(i.id for i in old if i.routed and i.running)
    steps: list[Step] = []
    if targets != routed_now or not targets:
        steps.append(Route(spec.hosts, tuple(sorted(targets))))
    if draining:
        steps.append(Drain(draining))
    return (*steps, *(Stop(i.id, i.name) for i in old))


def abandon(release_id: ReleaseId, observed: tuple[Instance, ...]) -> tuple[Step, ...]:
    """The steps that remove what a failed release started; instances that serve stay."""
    return tuple(Stop(i.id, i.name) for i in observed if i.id.startswith(f"{release_id}-") and not i.routed)
