"""Images from elsewhere: the engine pulls them, our exporter puts them into the registry.

Only from registries that the operator named: the engine pulls from the host's own network, where an address that is
private to the operator answers too. What was imported once is known by the engine's id of it and is not pushed again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from paas.drivers.docker.client import Engine, RegistryAuth, is_disk_full
from paas.errors import BuildFailed, Conflict, InvalidInput, NotFound, PaasError, Unavailable
from paas.oci import references, saved
from paas.oci.digests import Digest
from paas.oci.references import Reference
from paas.oci.registry import Registry
from paas.oci.streams import Chunks
from paas.ports import Say

_PIECE = 1024 * 1024
_SILENCE = 900.0
"""Seconds that the engine may say nothing while it saves an image."""
STAGE = "fetch"
_PLATFORM = "paas/"
"""`paas/python:3.13` is the platform's builder, wherever its registry is."""


@dataclass(frozen=True)
class Wish:
    """One import: which image, where to, for whom."""

    reference: str
    repository: str
    readable: Collection[str]
    """Our own registry's repositories that the asking project may read; those that end in `/` with all below."""
    seconds: int
    max_bytes: int
    """Of the compressed layers that the engine would have to fetch."""


class DockerImports:
    """The way in for images, of one installation."""

    def __init__(
        self, engine: Engine, registry: Registry, *, host: str, auth: RegistryAuth, allowed: Collection[str]
    ) -> None:
        """`host` is our registry as references name it; `allowed` are the registries that may be pulled from."""
        self._engine = engine
        self._registry = registry
        self._host = host
        self._auth = auth
        self._allowed = frozenset(allowed)

    def bring(self, wish: Wish, say: Say, check: Callable[[], None]) -> tuple[str, Digest]:
        """Repository and digest of the image in our registry. Raises BuildFailed, Unavailable."""
        try:
            reference = references.parse(wish.reference)
        except InvalidInput as error:
            raise _failed("InvalidImageReference", error.message, error.hint) from error
        if reference.host == references.HUB and reference.repository.startswith(_PLATFORM):
            name = f"builders/{reference.repository.removeprefix(_PLATFORM)}"
            return self._own(replace(reference, host=self._host, repository=name), wish)
        if reference.host == self._host:
            return self._own(reference, wish)
        if reference.host not in self._allowed:
            raise _failed(
                "RegistryNotAllowed",
                f"images are not imported from {reference.host}",
                f"Allowed are: {', '.join(sorted(self._allowed)) or 'none'}. Operators set PAAS_IMAGE_REGISTRIES.",
            )
        return wish.repository, self._import(reference, wish, say, check)

    def _own(self, reference: Reference, wish: Wish) -> tuple[str, Digest]:
        name = reference.repository
        if not any(name == known or (known.endswith("/") and name.startswith(known)) for known in wish.readable):
            raise _absent(reference)
        try:
            return name, Digest(reference.digest) if reference.digest else self._registry.digest_of(name, reference.tag)
        except NotFound as error:
            raise _absent(reference) from error

    def _import(self, reference: Reference, wish: Wish, say: Say, check: Callable[[], None]) -> Digest:
        name = str(reference)
        was_there = self._id(name) is not None
        progress = Progress(wish, say, check)
        try:
            self._engine.fetch(name, {}, progress.watch)
        except NotFound as error:
            raise _absent(reference) from error
        except Unavailable as error:
            raise _pull_failed(reference, error) from error
        image_id = self._id(name)
        if image_id is None:
            raise _absent(reference)
        try:
            return self._keep(image_id, wish.repository, check)
        finally:
            if not was_there:
                self._forget(name)

    def _keep(self, image_id: str, repository: str, check: Callable[[], None]) -> Digest:
        """The image in the registry; the engine keeps it under that name, so that using it pulls nothing."""
        tag = f"id-{image_id.rpartition(':')[2]}"
        try:
            digest = self._registry.digest_of(repository, tag)
        except NotFound:
            check()
            digest = self._save(image_id, repository, tag)
        check()
        self._engine.pull(f"{self._host}/{repository}@{digest}", self._auth)
        return digest

    def _save(self, image_id: str, repository: str, tag: str) -> Digest:
        with self._engine.stream(f"/images/{image_id}/get", {}, idle=_SILENCE) as response:
            try:
                return saved.push(Chunks(response.iter_content(_PIECE)), self._registry, repository, tag=tag)
            except InvalidInput as error:
                raise _failed("PullImageFailed", error.message, error.hint) from error

    def _id(self, name: str) -> str | None:
        try:
            with self._engine.door(f"find the image {name}") as api:
                return str(api.inspect_image(name)["Id"])
        except NotFound:
            return None

    def _forget(self, name: str) -> None:
        with contextlib.suppress(NotFound, Conflict, Unavailable), self._engine.door(f"remove {name}") as api:
            api.remove_image(name)


@dataclass
class Progress:
    """Follows a pull: told in few lines, ended when it is too large, too long or not wanted any more."""

    wish: Wish
    say: Say
    check: Callable[[], None]
    began: float = field(default_factory=time.monotonic)
    asked: float = 0.0
    told: float = field(default_factory=time.monotonic)
    totals: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)

    def watch(self, line: Mapping[str, Any]) -> None:
        """One line of the engine's progress."""
        if line.get("status") == "Downloading":
            detail = line.get("progressDetail") or {}
            self.totals[str(line.get("id"))] = int(detail.get("total") or 0)
            self.done[str(line.get("id"))] = int(detail.get("current") or 0)
        if sum(self.totals.values()) > self.wish.max_bytes or sum(self.done.values()) > self.wish.max_bytes:
            limit = self.wish.max_bytes // 1_000_000
            raise _failed("ImageTooLarge", f"the image has more than {limit} MB", "Use a smaller image.")
        now = time.monotonic()
        if now - self.began > self.wish.seconds:
            raise _failed("Timeout", f"the image was not pulled within {self.wish.seconds} seconds", "Try it again.")
        if now - self.asked > 1:
            self.asked = now
            self.check()
        if now - self.told > 5 and self.totals:
            self.told = now
            self.say(f"{sum(self.done.values()) // 1_000_000} of {sum(self.totals.values()) // 1_000_000} MB pulled")


def _failed(reason: str, message: str, hint: str) -> BuildFailed:
    return BuildFailed(message, reason=reason, stage=STAGE, hint=hint)


def _absent(reference: Reference) -> BuildFailed:
    return _failed(
        "PullImageFailed",
        f"there is no image {reference}, or it is not public",
        "Check its name and tag; images that need a login cannot be imported.",
    )


def _pull_failed(reference: Reference, error: PaasError) -> PaasError:
    """What the registry or the way to it did wrong is the build's failure; an engine that is away is not."""
    if "could not be pulled" not in error.message or is_disk_full(error):
        return error
    return _failed("PullImageFailed", error.message, f"Is {reference.host} reachable from this machine? Try it again.")
