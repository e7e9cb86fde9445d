"""Where a source may come from by git: which URLs, hosts and addresses. Pure.

A build fetches for a tenant from inside the platform, so what it may reach is the outside only: public addresses, and
the operator's own forges by name.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass

from paas.errors import InvalidInput

DEFAULT_REF = "HEAD"
MAX_URL = 500
_URL = re.compile(r"(https?)://([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(/[\x21-\x7e]*)?")
_REF = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_./]{0,199}")
_PRIVATE_NAMES = ("localhost", "local", "internal", "lan", "home.arpa")
_TUNNELS = tuple(map(ipaddress.ip_network, ("64:ff9b::/32", "2002::/16", "2001::/32")))
_HINT = "For example https://forge.example.org/team/shop.git#main"


@dataclass(frozen=True)
class GitLocation:
    """A repository and what to take of it: a branch, a tag or a commit."""

    url: str
    ref: str
    host: str
    port: int

    def __str__(self) -> str:
        return self.url if self.ref == DEFAULT_REF else f"{self.url}#{self.ref}"


def parse_git(text: str, hosts: Collection[str] = ()) -> GitLocation:
    """`URL[#REF]`. `hosts`: the operator's own forges. Raises InvalidInput."""
    url, _, ref = text.strip().partition("#")
    match = _URL.fullmatch(url)
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise _invalid("the URL has a user or a password in it", "Only public repositories can be fetched.")
    if match is None or len(url) > MAX_URL:
        raise _invalid(f"{url[:80]!r} is not an http or https URL", _HINT)
    if ref and (not _REF.fullmatch(ref) or ".." in ref or "//" in ref or ref.endswith((".lock", ".", "/"))):
        raise _invalid(f"{ref[:60]!r} is not a branch, tag or commit", _HINT)
    port = int(match[3]) if match[3] else {"http": 80, "https": 443}[match[1]]
    location = GitLocation(url, ref or DEFAULT_REF, match[2].strip("[]").lower().rstrip("."), port)
    if port > 65535 or not (is_listed(location, hosts) or _may_be_public(location.host)):
        raise forbidden(location)
    return location


def is_listed(location: GitLocation, hosts: Collection[str]) -> bool:
    """Is it one of the operator's own forges?"""
    return location.host in hosts or f"{location.host}:{location.port}" in hosts


def _may_be_public(host: str) -> bool:
    """As far as the name tells; what it resolves to is asked later."""
    try:
        return is_public(host)
    except ValueError:
        looks_numeric = host.rpartition(".")[2].isdigit() or host.startswith("0x")  # 2130706433, 127.1, 0x7f.1
        return "." in host and not looks_numeric and not host.endswith(tuple(f".{n}" for n in _PRIVATE_NAMES))


def is_public(address: str) -> bool:
    """Is this an address of the internet, that no tunnel or mapping leads back from? Raises ValueError."""
    found = ipaddress.ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        found = mapped
    return found.is_global and not found.is_multicast and not any(found in net for net in _TUNNELS)


def forbidden(location: GitLocation) -> InvalidInput:
    return _invalid(
        f"{location.host} is not a public host",
        "Private addresses are not fetched from; an operator can allow an own forge with PAAS_GIT_HOSTS.",
    )


def _invalid(message: str, hint: str) -> InvalidInput:
    return InvalidInput(message, field="git", hint=hint)
