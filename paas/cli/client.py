"""The way to the API: one HTTP client per platform, its errors as `paas.errors`.

Names under `.localhost` mean this machine, but not every resolver knows; so their connections go to
127.0.0.1, past any proxy, and the name travels in the Host header.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paas.cli import addresses, errors
from paas.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    import ssl

    import httpx

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
UPLOAD_SECONDS = 600.0
"""The platform checks and stores a source before it answers."""
SILENCE_SECONDS = 45.0
"""A stream sends a heartbeat every 15 seconds."""


class Api:
    """A platform's API as one user sees it."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        seconds: float = ANSWER_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url, self._token, self._seconds, self._transport = url, token, seconds, transport
        self._client: httpx.Client | None = None

    def get(self, path: str, **query: object) -> Any:
        return self.send("GET", path, query=query)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, object] | None = None,
        login: tuple[str, str] | None = None,
    ) -> Any:
        """The answer's JSON, or None where it has no content. Raises what the server says, Unavailable."""
        with self._translated():
            response = self._open().send(self._request(method, path, body, query, login))
        return self._read(response)

    def upload(self, path: str, content: Iterator[bytes], kind: str) -> Any:
        """POST bytes as they come; the answer's JSON. Raises what the server says, Unavailable."""
        with self._translated():
            request = self._request("POST", path, None, None, None, {"Content-Type": kind}, content)
            request.extensions["timeout"] = {**request.extensions["timeout"], "read": UPLOAD_SECONDS}
            response = self._open().send(request)
        return self._read(response)

    def _read(self, response: httpx.Response) -> Any:
        if response.is_error:
            raise errors.from_response(response.status_code, response.content)
        if not response.is_success:
            raise self._unexpected(f"HTTP status {response.status_code}")
        try:
            return json.loads(response.content) if response.content else None
        except ValueError:
            raise self._unexpected("something that is not JSON") from None

    @contextmanager
    def stream(
        self, method: str, path: str, body: object = None, *, query: Mapping[str, object], headers: Mapping[str, str]
    ) -> Iterator[Iterator[bytes]]:
        """The answer's bytes as they come. Raises Unavailable also when the connection is lost in the middle."""
        import httpx

        with self._translated():
            request = self._request(method, path, body, query, None, headers)
            waits = httpx.Timeout(self._seconds, connect=CONNECT_SECONDS, read=SILENCE_SECONDS)
            request.extensions["timeout"] = waits.as_dict()
            response = self._open().send(request, stream=True)
            try:
                if not response.is_success:
                    raise errors.from_response(response.status_code, response.read())
                yield response.iter_bytes()
            finally:
                response.close()

    def probe(self) -> int:
        """The HTTP status that the address itself answers with. Raises Unavailable."""
        with self._translated():
            return self._open().get(self.url).status_code

    def close(self) -> None:
        if self._client:
            self._client.close()

    def _open(self) -> httpx.Client:
        if self._client is None:
            import httpx

            waits = httpx.Timeout(self._seconds, connect=min(CONNECT_SECONDS, self._seconds))
            is_local = addresses.is_local(addresses.host_of(self.url))
            verify = _trust(self.url)
            transport = self._transport or (_loopback(verify) if is_local else None)
            self._client = httpx.Client(timeout=waits, verify=verify, transport=transport, trust_env=not is_local)
        return self._client

    def _request(
        self,
        method: str,
        path: str,
        body: object,
        query: Mapping[str, object] | None,
        login: tuple[str, str] | None,
        headers: Mapping[str, str] | None = None,
        content: Iterator[bytes] | None = None,
    ) -> httpx.Request:
        sent = {"Accept": "application/json", **(headers or {})}
        if login:
            sent["Authorization"] = "Basic " + b64encode(":".join(login).encode()).decode()
        elif self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        params = {name: str(value) for name, value in (query or {}).items() if value not in (None, "")}
        return self._open().build_request(
            method, f"{self.url}/api/v1{path}", params=params or None, json=body, content=content, headers=sent
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except httpx.ConnectError as error:
            raise self._unreachable(str(error)) from error
        except httpx.TimeoutException as error:
            raise self._gone("did not answer in time") from error
        except (httpx.TransportError, httpx.StreamError, httpx.DecodingError) as error:
            raise self._gone(f"broke the connection off ({error})") from error
        except httpx.InvalidURL as error:
            raise InvalidInput(f"{self.url} is not an address: {error}", field="url") from error

    def _unreachable(self, why: str) -> Unavailable:
        if "CERTIFICATE_VERIFY_FAILED" in why:
            hint = "If it has a private CA, name the CA's file in SSL_CERT_FILE."
            return Unavailable(f"{self.url} has a certificate that this machine does not trust", hint=hint)
        hint = f"Is the platform up? On its own machine: `make up`, then `paas doctor`. Details: {why}"
        return Unavailable(f"cannot connect to {self.url}", hint=hint)

    def _gone(self, what: str) -> Unavailable:
        return Unavailable(f"{self.url} {what}", hint="Try again; `paasctl status` shows how the platform is.")

    def _unexpected(self, what: str) -> Unavailable:
        return Unavailable(
            f"{self.url} answered with {what}", hint="Is that a platform's address? See `paasctl whoami`."
        )


def _trust(url: str) -> ssl.SSLContext:
    """The machine's own CAs; for plain http an empty set, since reading them takes longer than the request."""
    import ssl

    return ssl.create_default_context() if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _loopback(verify: ssl.SSLContext) -> httpx.BaseTransport:
    import httpx

    class Loopback(httpx.HTTPTransport):
        """Connects to this machine; Host header and TLS keep the name."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            name = request.url.host
            if name.endswith("localhost"):
                request.extensions.setdefault("sni_hostname", name)
                request.url = request.url.copy_with(host="127.0.0.1")
            return super().handle_request(request)

    return Loopback(verify=verify)


@dataclass(frozen=True)
class AppApi:
    """The part of the API below one app."""

    api: Api
    project: str
    name: str

    def path(self, rest: str = "") -> str:
        return f"/projects/{addresses.segment(self.project)}/apps/{addresses.segment(self.name)}{rest}"

    def get(self, rest: str = "", **query: object) -> Any:
        return self.api.get(self.path(rest), **query)

    def send(self, method: str, rest: str = "", body: object = None) -> Any:
        return self.api.send(method, self.path(rest), body)

    def upload(self, rest: str, content: Iterator[bytes], kind: str) -> Any:
        return self.api.upload(self.path(rest), content, kind)
