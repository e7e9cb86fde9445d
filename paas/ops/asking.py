"""Asks the router for a page, as a browser on this machine would: loopback, past DNS and proxies."""

from __future__ import annotations

import http.client
import time

from paas.errors import Unavailable
from paas.settings import Settings

_SECONDS = 10.0
_MAX = 64 * 1024
_PAUSE = 0.1


def get(settings: Settings, host: str, path: str = "/") -> tuple[int, str]:
    """Status and body. Raises Unavailable."""
    address = "127.0.0.1" if settings.bind in ("0.0.0.0", "::", "*") else settings.bind  # noqa: S104 - compared only
    connection = http.client.HTTPConnection(address, settings.port, timeout=_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": f"{host}:{settings.port}"})
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"nothing answers at {address}:{settings.port}: {error}") from error
    finally:
        connection.close()


def await_page(settings: Settings, host: str, path: str = "/", seconds: float = 20) -> str:
    """The body of the first good answer. Raises Unavailable with the last bad one."""
    until = time.monotonic() + seconds
    while True:
        status, body = get(settings, host, path)
        if status == 200:
            return body
        if time.monotonic() > until:
            raise Unavailable(f"http://{host}:{settings.port}{path} answers {status}: {body.strip()[:200]}")
        time.sleep(_PAUSE)
