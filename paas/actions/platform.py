"""The platform as one value, passed first to every action; `bootstrap` makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from paas.core.builders import BuilderInfo, Updated
from paas.core.builds import BuildResult, BuildSpec
from paas.core.rebases import Rebased
from paas.core.sources import GitLocation
from paas.db.session import Database
from paas.errors import Unavailable
from paas.oci.registry import Registry
from paas.oci.streams import Readable
from paas.ports import Driver, Jobs, Sandboxes, Say
from paas.settings import Settings

BuildSource = Callable[[BuildSpec, Say, Callable[[], None]], BuildResult]
"""Turns a source into an image: spec, where lines go, and a check that raises when the work must stop."""


class GitSource(Protocol):
    """A commit that was fetched and stored."""

    @property
    def digest(self) -> str: ...
    @property
    def commit(self) -> str: ...
    @property
    def author(self) -> str: ...
    @property
    def message(self) -> str: ...


FetchGit = Callable[[BuildSpec, GitLocation, Callable[[Readable], str], Say, Callable[[], None]], GitSource]
"""Fetches a repository in a sandbox: spec, where from, what keeps the tree's tar, where lines go, the check."""


def no_git(spec: BuildSpec, location: GitLocation, *_: object) -> GitSource:
    raise Unavailable("this process cannot fetch repositories")


class Builders(Protocol):
    """The platform's builders and their images."""

    def list_all(self) -> list[BuilderInfo]:
        """With what the registry has of each version."""

    def usage(self, name: str, version: str) -> str:
        """What a version says about itself. Raises NotFound, Conflict, BuildFailed, Unavailable."""

    def update(self, name: str, version: str, say: Say) -> Updated:
        """Make a version anew with the packages of now. Raises NotFound, BuildFailed, Unavailable."""


def no_builders() -> Builders:
    raise Unavailable("this process cannot make builders")


class EngineImages(Protocol):
    """What the engine pulled from our registry."""

    def list_all(self) -> list[tuple[str, int, bool]]:
        """Reference by digest, bytes, and whether a container stands on it."""

    def remove(self, reference: str) -> None:
        """Raises Conflict where a container stands on it, NotFound."""


class NoImages:
    """Of a process that has no engine."""

    def list_all(self) -> list[tuple[str, int, bool]]:
        return []

    def remove(self, reference: str) -> None:
        return


Rebase = Callable[[str, str], Rebased]
"""An app's image, by the app's id and the image's digest, on its base as it is now. Raises Conflict."""


def no_rebase(app_id: str, image: str) -> Rebased:
    raise Unavailable("this process cannot rebase images")


class Signals(Protocol):
    """Says that an app's story has grown. Losing a signal costs a second, never a line."""

    def notify(self, app_id: str) -> None: ...

    def seen(self, app_id: str) -> int:
        """How many signals came so far: ask before reading the story, so that none falls between."""

    def wait(self, app_id: str, seen: int, timeout: float) -> None:
        """Return when there were more signals than `seen`, or after `timeout` seconds."""


class Vault(Protocol):
    """Seals secrets for the database; `context` binds a sealed value to its row."""

    def seal(self, text: str, context: str) -> bytes: ...

    def open(self, sealed: bytes, context: str) -> str: ...


@dataclass(frozen=True)
class Platform:
    """All that an action needs. `driver` and `sandboxes` open the engine at their first call."""

    settings: Settings
    db: Database
    jobs: Jobs
    registry: Registry
    signals: Signals
    vault: Vault
    build: BuildSource
    driver: Callable[[], Driver]
    sandboxes: Callable[[], Sandboxes]
    now: Callable[[], datetime]
    fetch_git: FetchGit = no_git
    builders: Callable[[], Builders] = no_builders
    rebase: Rebase = no_rebase
    engine_images: Callable[[], EngineImages] = NoImages
