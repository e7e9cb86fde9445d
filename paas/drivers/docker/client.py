"""The door to the Docker Engine: one place that opens it, waits for it and names its faults.

Every call has a timeout and every fault leaves as an error of ours: `NotFound`, `Conflict`, or `Unavailable` for
an engine that does not answer. The connection belongs to the process that opened it, so a fork opens its own.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import docker
import docker.errors
from docker.auth import encode_header
from requests import exceptions as transport  # noqa: TID251 - the engine's library raises these
from urllib3 import exceptions as wire

from paas.errors import Conflict, NotFound, PaasError, Unavailable

RegistryAuth = Callable[[str], Mapping[str, str]]
"""Credentials for pulling from a repository, as the engine takes them; empty: none."""

_FAULTS = (
    docker.errors.DockerException,
    transport.RequestException,
    wire.HTTPError,
    OSError,
)
_CONNECTIONS = 64


class Engine:
    """One Docker Engine, by its address."""

    def __init__(self, address: str, *, timeout: float = 60) -> None:
        self._address = address
        self._timeout = timeout
        self._lock = threading.Lock()
        self._api: Any = None
        self._pid = 0

    @contextlib.contextmanager
    def door(self, doing: str) -> Iterator[Any]:
        """The client library's own object, its errors turned into ours; `doing` says what for."""
        try:
            yield self._open()
        except PaasError:
            raise
        except _FAULTS as error:
            raise translate(error, doing) from error

    @contextlib.contextmanager
    def stream(self, path: str, params: Mapping[str, object], *, idle: float | None = None) -> Iterator[Any]:
        """A response that is read piece by piece; `idle` is how long one read may wait (None: the usual timeout)."""
        with self.door(f"read {path.rsplit('/', 1)[-1]}") as api:
            url = f"{api.base_url}/v{api.api_version}{path}"
            # Without this header the engine gzips tars, which costs ten times the rest (measured: 17 s for 534 MB).
            headers = {"Accept-Encoding": "identity"}
            response = api.get(url, params=params, stream=True, timeout=idle or self._timeout, headers=headers)
            try:
                api._raise_for_status(response)
                yield response
            finally:
                response.close()

    @contextlib.contextmanager
    def hijack(self, path: str, *, params: Mapping[str, object], body: object, idle: float) -> Iterator[Any]:
        """The raw stream behind a call that takes the connection over (attach, exec): has `read(n)`."""
        with self.door(f"attach to {path.rsplit('/', 1)[0].rsplit('/', 1)[-1]}") as api:
            url = f"{api.base_url}/v{api.api_version}{path}"
            headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
            response = api.post(url, params=params, json=body, headers=headers, stream=True, timeout=idle)
            try:
                api._raise_for_status(response)
                # The library reads below the buffer and may lose what came in one piece with the headers.
                yield response.raw._fp.fp
            finally:
                response.close()

    def stat(self, container: str, path: str) -> Mapping[str, Any] | None:
        """Mode, size and name of a path inside a container; None if it is not there."""
        with self.door("look into a container") as api:
            url = f"{api.base_url}/v{api.api_version}/containers/{container}/archive"
            response = api.head(url, params={"path": path}, timeout=self._timeout)
            if response.status_code == 404:
                return None
            api._raise_for_status(response)
            found: Mapping[str, Any] = json.loads(base64.b64decode(response.headers["X-Docker-Container-Path-Stat"]))
            return found

    def pull(self, reference: str, auth: RegistryAuth) -> Mapping[str, Any]:
        """The image as `inspect` shows it, fetched first if it is missing. Raises NotFound, Unavailable."""
        try:
            with self.door(f"find the image {reference}") as api:
                return dict(api.inspect_image(reference))
        except NotFound:
            pass
        host, _, path = split_reference(reference)[0].partition("/")
        # Only a name with a host in front belongs to a registry of ours.
        self.fetch(reference, dict(auth(path)) if {".", ":"} & set(host) else {})
        with self.door(f"find the image {reference}") as api:
            return dict(api.inspect_image(reference))

    def fetch(
        self, reference: str, credentials: Mapping[str, str], watch: Callable[[Mapping[str, Any]], None] | None = None
    ) -> None:
        """Pull an image, also one that is there; `watch` sees the engine's progress and may raise to end it."""
        repository, tag = split_reference(reference)
        with self.door(f"pull the image {reference}") as api:
            # By hand: the library's own pull waits for ever.
            url = f"{api.base_url}/v{api.api_version}/images/create"
            response = api.post(
                url,
                params={"fromImage": repository, "tag": tag},
                headers={"X-Registry-Auth": encode_header(dict(credentials))},
                stream=True,
                timeout=self._timeout,
            )
            with contextlib.closing(response):
                if response.status_code in (403, 404, 500):
                    raise _pull_error(reference, response.text[:500])
                api._raise_for_status(response)
                for line in response.iter_lines():
                    if b'"error"' in line:
                        raise _pull_error(reference, str(json.loads(line).get("error")))
                    if watch and line:
                        watch(json.loads(line))

    def _open(self) -> Any:
        with self._lock:
            if self._api is None or self._pid != os.getpid():
                self._api = docker.APIClient(
                    base_url=self._address, version="auto", timeout=self._timeout, max_pool_size=_CONNECTIONS
                )
                self._api.trust_env = False  # a proxy from the environment is not for the engine
                self._pid = os.getpid()
            return self._api


def split_reference(reference: str) -> tuple[str, str]:
    """Repository (with its host) and tag or digest of an image reference."""
    repository, at, digest = reference.partition("@")
    if at:
        return repository, digest
    head, colon, tag = reference.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (reference, "latest")


def translate(error: BaseException, doing: str) -> PaasError:
    """An error of ours for one of the engine's."""
    if isinstance(error, docker.errors.APIError):
        status = error.response.status_code if error.response is not None else 500
        said = str(error.explanation or error).strip()
        kind: type[PaasError] = {404: NotFound, 409: Conflict}.get(status, Unavailable)
        if kind is not Unavailable:
            return kind(f"the engine could not {doing}: {said}")
        return Unavailable(f"the engine could not {doing}: {said}", hint=_hint(said), engine=said)
    return Unavailable(
        f"the Docker Engine does not answer (to {doing}): {error}", hint="Is dockerd running? See `paas doctor`."
    )


def is_disk_full(error: PaasError) -> bool:
    """Did the engine run out of disk?"""
    return "no space left" in error.message.lower()


def _hint(said: str) -> str:
    if "no space left" in said.lower():
        return "The engine's disk is full: free some, for example with `docker image prune`."
    return "See the engine's own log."


def _pull_error(reference: str, said: str) -> PaasError:
    lowered = said.lower().replace("_", " ")  # newer engines show the code where there is no message
    if any(word in lowered for word in ("not found", "manifest unknown", "denied", "unauthorized")):
        return NotFound(f"the image {reference} is not in the registry: {said}")
    return Unavailable(f"the image {reference} could not be pulled: {said}", hint=_hint(said))
