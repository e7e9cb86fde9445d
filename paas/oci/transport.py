"""One HTTP exchange with a registry: token, timeout, retry, and the answer's status as one of our errors.

What may be sent again is said by the call, not guessed from its method: a refused connection always, a lost
answer only where doing it twice does no harm. Retries end with `patience`; after it the caller decides.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from paas.errors import Conflict, Forbidden, InvalidInput, NotFound, PaasError, Unavailable
from paas.oci.tokens import Scope

Tokens = Callable[[Sequence[Scope]], str]

_BODY_MAX = 8 * 1024 * 1024
_SLICE = 256 * 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_REFUSALS: dict[int, tuple[type[PaasError], str, str]] = {
    400: (InvalidInput, "The registry refuses the request.", "Its codes say why."),
    401: (Forbidden, "The registry refuses the token for this repository.", "Check its issuer, service and key."),
    403: (Forbidden, "The registry refuses the token for this repository.", "Check its issuer, service and key."),
    404: (NotFound, "The registry does not have this.", ""),
    405: (Conflict, "The registry does not allow this.", "Set storage.delete.enabled in its configuration."),
}
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Call:
    """One request and what may happen to it."""

    method: str
    path: str
    scopes: tuple[Scope, ...] = ()
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    expected: frozenset[int] = frozenset({200})
    repeatable: bool = True
    """Sending it again after a lost answer does no harm."""


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Keeps connections to one registry; may be used by many threads."""

    def __init__(self, url: str, tokens: Tokens | None, *, timeout: float, patience: float) -> None:
        self._tokens = tokens
        self._patience = patience
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/",
            timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
            headers={"Accept-Encoding": "identity", "User-Agent": "paas"},
            verify=ssl.create_default_context()
            if url.startswith("https:")
            else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            trust_env=False,
            follow_redirects=False,
        )

    def close(self) -> None:
        """Close the kept connections."""
        self._client.close()

    def send(self, call: Call) -> Answer:
        """The answer as a whole; it must be small."""
        with self.open(call) as response:
            body = bytearray()
            for chunk in read_body(response):
                body += chunk
                if len(body) > _BODY_MAX:
                    raise PaasError("The registry's answer is too long.", path=call.path)
            return Answer(response.status_code, response.headers, bytes(body))

    @contextmanager
    def open(self, call: Call) -> Iterator[httpx.Response]:
        """The answer with its body still to be read. Raises the error its status stands for."""
        response = self._exchange(call)
        try:
            if response.status_code not in call.expected:
                raise _refusal(call, response.status_code, _error_codes(response))
            yield response
        finally:
            response.close()

    def _exchange(self, call: Call) -> httpx.Response:
        deadline = time.monotonic() + self._patience
        pause, renewed = _FIRST_PAUSE, False
        while True:
            response, reason, asked = self._try(call)
            if response is not None and response.status_code == HTTPStatus.UNAUTHORIZED and not renewed:
                response.close()
                renewed = True  # the token may have run out on the way; the next one is new
                continue
            if response is not None and not _is_passing(response.status_code):
                return response
            if response is not None:
                response.close()
            wait = max(pause, asked)
            if time.monotonic() + wait > deadline:
                raise _unreachable(reason, asked)
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _try(self, call: Call) -> tuple[httpx.Response | None, str, float]:
        """The answer, or none; why to try again, and after how many seconds the registry asks for it."""
        headers = {**call.headers, **({"Content-Length": str(len(call.content))} if call.content else {})}
        if self._tokens:
            headers["Authorization"] = f"Bearer {self._tokens(call.scopes)}"
        request = self._client.build_request(call.method, call.path, content=_slices(call.content), headers=headers)
        try:
            response = self._client.send(request, stream=True)
        except _UNSENT as error:
            return None, f"cannot be reached ({_words(error)})", 0.0
        except httpx.TransportError as error:
            if not call.repeatable:
                raise _unreachable(f"broke off ({_words(error)})", 0.0) from error
            return None, f"broke off ({_words(error)})", 0.0
        return response, f"answers {response.status_code}", _retry_after(response)


def _slices(content: bytes) -> Iterator[bytes] | None:
    """A request lives in reference cycles for a while; so it must not hold a piece of 4 MiB."""
    if not content:
        return None
    return (content[at : at + _SLICE] for at in range(0, len(content), _SLICE))


def read_body(response: httpx.Response) -> Iterator[bytes]:
    """The body in pieces, with a connection that breaks off as our error."""
    try:
        yield from response.iter_raw(1024 * 1024)
    except httpx.TransportError as error:
        raise _unreachable(f"broke off ({_words(error)})", 0.0) from error


def _is_passing(status: int) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _retry_after(response: httpx.Response) -> float:
    """Seconds; the form with a date is not worth a parser here."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() and len(text) < 6 else 0.0


def _unreachable(reason: str, asked: float) -> Unavailable:
    return Unavailable(
        f"The registry {reason}.", retry_after=max(5, int(asked)), hint="It is tried again; `paas doctor` says more."
    )


def _refusal(call: Call, status: int, codes: str) -> PaasError:
    """The code says more than the status, where the registry gives one."""
    if "DIGEST_INVALID" in codes or "SIZE_INVALID" in codes:
        kind, message, hint = PaasError, "The registry got other bytes than were sent.", "Send them again."
    elif "BLOB_UNKNOWN" in codes and call.method == "PUT":
        kind, message, hint = Conflict, "A layer of the image is not in the registry.", "Upload the layers first."
    else:
        unexpected = (PaasError, f"The registry gave an answer that was not expected ({status} {codes}).", "")
        kind, message, hint = _REFUSALS.get(status, unexpected)
    facts: dict[str, Any] = {"method": call.method, "path": call.path, "registry_status": status, "codes": codes}
    return kind(message, hint=hint, **facts)


def _error_codes(response: httpx.Response) -> str:
    """The codes of the specification's error document, if there is one."""
    body = bytearray()
    for chunk in read_body(response):
        body += chunk
        if len(body) > _BODY_MAX:
            return ""
    try:
        errors = json.loads(bytes(body))["errors"]
        return " ".join(str(error["code"])[:60] for error in errors[:8])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


def _words(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
