"""The four seams of the platform, each with two real implementations in view.

Driver and Sandbox: Docker Engine now, Kubernetes later. Strategy: modules in `builder/strategies`.
Jobs: Celery, inline. One contract suite per port runs against every implementation (tests/contracts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from paas.core.builds import Limits
from paas.core.names import AppId, ProjectId
from paas.core.releases import Instance, Step
from paas.oci.archive import Entry, Reader

Say = Callable[[str], None]
"""Tells one line of the app's story."""


@dataclass(frozen=True)
class RunSpec:
    """A one-off process: `paasctl run`, or the release phase."""

    id: str
    app_id: AppId
    project_id: ProjectId
    app: str
    project: str
    image: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    timeout: int
    """Seconds."""


@dataclass(frozen=True)
class LogLine:
    """One line that an instance wrote; `at` is the engine's time stamp and its cursor."""

    app_id: AppId
    instance: str
    """`web.1`"""
    instance_id: str
    at: str
    """RFC 3339 with nanoseconds."""
    text: str


@dataclass(frozen=True)
class RouteSpec:
    """What the router should do for one app."""

    app_id: AppId
    hosts: tuple[str, ...]


class Driver(Protocol):
    """Where releases run. Names every engine object by id; touches only what carries its own label."""

    def ensure_project(self, project_id: ProjectId, subnet: str) -> None:
        """The project's network (`subnet` in CIDR form) is there."""

    def destroy_project(self, project_id: ProjectId) -> None:
        """The project's network is gone."""

    def observe(self, app_id: AppId) -> tuple[Instance, ...]:
        """The app's instances, running or not, with whether the router sends to them."""

    def apply(self, app_id: AppId, step: Step) -> None:
        """One visible change; the same step twice does nothing more. Raises DeployFailed, Unavailable."""

    def run(self, spec: RunSpec, say: Say) -> int:
        """Run to the end, telling each line; the exit code. Raises DeployFailed on timeout."""

    def logs(self, since: Mapping[str, str], stop: Callable[[], bool]) -> Iterator[LogLine]:
        """Lines of all own instances of all apps as they come, also of those that start later.

        `since`: by instance id the stamp of the last line already kept; lines up to it are left out.
        """

    def last_lines(self, instance_id: str, count: int) -> list[str]:
        """What an instance wrote last."""

    def destroy(self, app_id: AppId) -> None:
        """No instance, one-off process or route of the app is left."""

    def restore_routes(self, routes: Iterable[RouteSpec]) -> None:
        """Write the router's whole configuration anew from these hosts and the healthy instances."""


class SandboxTimeout(Exception):
    """The sandbox ran out of its time."""


class SandboxOutOfMemory(Exception):
    """A process of the sandbox was killed for its memory."""


@dataclass(frozen=True)
class Changes:
    """What a sandbox changed: streams of entries below `/`, and paths that it deleted."""

    entries: Iterator[tuple[Entry, Reader]]
    """Sorted within a directory; read each body before the next entry."""
    deleted: tuple[str, ...] = ()


class Sandbox(Protocol):
    """An isolated container for untrusted code: no capabilities, no credentials, no engine socket."""

    def put(self, tar: Iterable[bytes], path: str) -> None:
        """Unpack a tar inside, below an absolute path."""

    def run(self, argv: tuple[str, ...], env: Mapping[str, str], say: Say, user: str = "") -> int:
        """Run a program, telling each line of its output; the exit code. Raises SandboxTimeout, SandboxOutOfMemory."""

    def changes(self, ignored: tuple[str, ...]) -> Changes:
        """What was changed against the image, without what lies below the ignored paths."""

    def close(self) -> None:
        """Nothing of it is left. May be called twice."""


class Sandboxes(Protocol):
    """Opens sandboxes."""

    def open(self, image: str, limits: Limits, *, build_id: str) -> Sandbox:
        """A started sandbox on an image (reference by digest, pulled if missing). Raises BuildFailed, Unavailable."""

    def sweep(self, keep: frozenset[str]) -> int:
        """Remove own sandboxes of all builds but these; how many."""


class JobName(StrEnum):
    """`<noun>.<verb>` = function of the action; each has a task in `worker/`."""

    builds_run = "builds.run"
    releases_deploy = "releases.deploy"


class Jobs(Protocol):
    """Hands an id to the workers. Losing it is harmless: the database is the queue, the sweep enqueues again."""

    def enqueue(self, name: JobName, job_id: str) -> None: ...


@dataclass(frozen=True)
class SandboxSettings:
    """What every sandbox gets from the operator."""

    env: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: bytes = b""
