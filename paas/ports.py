"""The four seams of the platform, each with two real implementations in view.

Driver and Sandbox: Docker Engine now, Kubernetes later. Strategy: modules in `builder/strategies`.
Jobs: Celery, inline. One contract suite per port runs against every implementation (tests/contracts).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
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

    def apps(self) -> frozenset[AppId]:
        """Of which apps it holds anything: an instance, a one-off process, a route."""

    def projects(self) -> frozenset[ProjectId]:
        """Of which projects it holds anything: a network, or anything of an app."""

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


def _go_on() -> None:
    """Nobody wants it to end."""


@dataclass(frozen=True)
class Opening:
    """What one sandbox is given beyond its image and limits."""

    check: Callable[[], None] = _go_on
    """Asked all the time, also while its program is silent; what it raises ends the sandbox and leaves its methods."""
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Files in `/run/secrets` by name, in memory only, never among the changes."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Further paths at which a secret can be read: name of the secret by absolute path."""
    user: str = ""
    """`uid` or `uid:gid` that may read the secrets; empty: the default user."""
    as_root: bool = False
    """Root inside may do what package managers need: own, read and write every file of the image."""
    starts: bool = True
    """False: only for `put`, `read` and `changes`; the image need not hold any program then."""


ORDINARY = Opening()


class Sandbox(Protocol):
    """An isolated container for untrusted code: no capabilities, no credentials, no engine socket.

    Whatever its program does ends in a named failure: SandboxTimeout, SandboxOutOfMemory, or BuildFailed with the
    reason DiskFull, TooManyProcesses or OutputTooLarge.
    """

    def put(self, tar: Iterable[bytes], path: str) -> None:
        """Unpack a tar inside, below an absolute path."""

    def run(self, argv: tuple[str, ...], env: Mapping[str, str], say: Say, user: str = "", *, folder: str = "") -> int:
        """Run a program (in a folder), telling each line of its output; the exit code."""

    def read(self, path: str) -> Generator[tuple[Entry, Reader], None, None]:
        """What lies at an absolute path, with paths from the root. Raises NotFound, BuildFailed."""

    def changes(self, ignored: tuple[str, ...]) -> Changes:
        """What was changed against the image, without what lies below the ignored paths. Its programs are frozen."""

    def close(self) -> None:
        """Nothing of it will be left, some seconds later at most. May be called twice."""


class Sandboxes(Protocol):
    """Opens sandboxes."""

    def open(self, image: str, limits: Limits, *, build_id: str, opening: Opening = ORDINARY) -> Sandbox:
        """A started sandbox on an image (reference by digest, pulled if missing). Raises BuildFailed, Unavailable."""

    def sweep(self, running: Callable[[], frozenset[str]]) -> int:
        """Remove own sandboxes of all builds but those that run; how many. Asks only after it has listed them."""


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
