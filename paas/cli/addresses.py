"""Addresses of a platform: what a user may type, and which names mean this machine."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from paas.errors import InvalidInput

DEFAULT = "http://paas.localhost:7480"
_HOST = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")


def normalise(text: str) -> str:
    """`scheme://host[:port]` in one spelling. Raises InvalidInput."""
    url = text.strip().rstrip("/")
    url = url if "://" in url else f"{'http' if is_local(url.partition(':')[0]) else 'https'}://{url}"
    if any(c <= " " for c in url):
        raise _invalid(text)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _invalid(text) from None
    host, colon, _ = parts.netloc.rpartition(":") if port is not None else (parts.netloc, "", "")
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or parts.path or parts.query:
        raise _invalid(text)
    shown = f":{port}" if colon and port != {"http": 80, "https": 443}[parts.scheme] else ""
    return f"{parts.scheme}://{host.lower()}{shown}"


def _invalid(text: str) -> InvalidInput:
    return InvalidInput(
        f"{text[:100]!r} is not the address of a platform",
        field="url",
        hint=f"Give scheme, host and port, and nothing after them: {DEFAULT}",
    )


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def is_local(host: str) -> bool:
    """Does the name mean this machine (RFC 6761, 6.3)? Not every resolver knows that of `*.localhost`."""
    name = host.lower().rstrip(".")
    return name in ("localhost", "127.0.0.1", "::1", "[::1]") or name.endswith(".localhost")


def segment(text: object) -> str:
    """Text as one segment of a path, whatever it holds. Raises InvalidInput for what cannot be one."""
    if str(text) in ("", ".", ".."):
        raise InvalidInput(f"{str(text)!r} is not a name", hint="Use a-z, 0-9 and '-'.")
    return quote(str(text), safe="")
