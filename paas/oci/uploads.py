"""One blob on its way into the registry, written piece by piece while it is made.

Nothing is sent before there is a full piece: a small blob costs two requests, and one that turns out to be
there already costs none. The registry ties a session to its offset, so a piece whose fate is unknown ends the
session; the blob must then be sent anew.
"""

from __future__ import annotations

import contextlib
import threading
from types import TracebackType
from typing import Self

import httpx

from paas.errors import InvalidInput, NotFound, PaasError, Unavailable
from paas.oci.digests import Digest, parse_digest
from paas.oci.tokens import Scope
from paas.oci.transport import Answer, Call, Transport

_PIECE = 4 * 1024 * 1024
_OCTETS = {"Content-Type": "application/octet-stream"}


class Upload:
    """A context: what is not committed at its end is cancelled. One thread writes; another may cancel."""

    def __init__(self, transport: Transport, repository: str) -> None:
        self._transport = transport
        self._repository = repository
        self._scopes = (Scope(repository, ("pull", "push")),)
        self._pending = bytearray()
        self._location = ""
        self._sent = 0
        self._closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def write(self, data: bytes) -> None:
        """Take bytes; full pieces are sent. Raises Unavailable when the upload must start anew."""
        with self._lock:
            if self._closed:
                raise ValueError("the upload is over")
            self._pending += data
            while len(self._pending) >= _PIECE:
                self._send_piece(bytes(self._pending[:_PIECE]))
                del self._pending[:_PIECE]

    def commit(self, digest: Digest) -> None:
        """The blob is complete and has this digest. Raises PaasError if the registry finds another."""
        if self._closed:
            raise ValueError("the upload is over")
        self._open()
        path = httpx.URL(self._location).copy_merge_params({"digest": parse_digest(digest)})
        call = Call(
            "PUT", str(path), self._scopes, bytes(self._pending), _OCTETS, expected=frozenset({201}), repeatable=False
        )
        try:
            self._session(call)
        except Unavailable:
            if not self._is_there(digest):  # the answer may have been lost after the deed
                raise
        self._closed = True

    def cancel(self) -> None:
        """Give up; the registry forgets what it has. It clears away old sessions itself if it cannot be told."""
        with self._lock:
            if self._location and not self._closed:
                with contextlib.suppress(PaasError):
                    cancel_session(self._transport, self._repository, self._location)
            self._closed = True

    def _open(self) -> None:
        if not self._location:
            path = f"v2/{self._repository}/blobs/uploads/"
            answer = self._transport.send(Call("POST", path, self._scopes, expected=frozenset({202})))
            self._location = location(answer)

    def _send_piece(self, piece: bytes) -> None:
        self._open()
        headers = _OCTETS | {"Content-Range": f"{self._sent}-{self._sent + len(piece) - 1}"}
        call = Call(
            "PATCH", self._location, self._scopes, piece, headers, expected=frozenset({202, 204}), repeatable=False
        )
        self._location = location(self._session(call))
        self._sent += len(piece)

    def _session(self, call: Call) -> Answer:
        """A call within the session; a session that is gone can be started anew by the caller only."""
        try:
            return self._transport.send(call)
        except (NotFound, InvalidInput) as error:
            raise Unavailable(
                "The registry has lost the upload.", retry_after=1, hint="The layer is sent again.", **error.facts
            ) from error

    def _is_there(self, digest: Digest) -> bool:
        path = f"v2/{self._repository}/blobs/{digest}"
        try:
            self._transport.send(Call("HEAD", path, (Scope(self._repository, ("pull",)),)))
        except (NotFound, Unavailable):
            return False
        return True


def location(answer: Answer) -> str:
    """Where a session goes on. Only the path counts: a token is never sent to a host that an answer names."""
    url = httpx.URL(answer.headers.get("Location", ""))
    if "/blobs/uploads/" not in url.path:
        raise PaasError("The registry did not say where the upload goes on.")
    return url.raw_path.decode("ascii")


def cancel_session(transport: Transport, repository: str, path: str) -> None:
    """End an upload session."""
    scopes = (Scope(repository, ("pull", "push", "delete")),)
    transport.send(Call("DELETE", path, scopes, expected=frozenset({202, 204, 404})))
