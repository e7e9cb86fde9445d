"""What a container's programs listen on, read from the kernel's table of its network namespace.

Only for telling why an instance does not answer: most often it listens on 127.0.0.1 or on a port of its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from pathlib import Path

_LISTEN = "0A"
_ENGINE_DNS = "127.0.0.11"
_SHOWN = 5

Place = tuple[str, int]


def parse_table(text: str) -> set[Place]:
    """Address and port of each listening socket in /proc/net/tcp or tcp6."""
    found: set[Place] = set()
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN:
            address, _, port = fields[1].partition(":")
            found.add((_address(address), int(port, 16)))
    return {place for place in found if place[0] != _ENGINE_DNS}


def of_process(pid: int) -> set[Place]:
    """What the network namespace of a process listens on; empty where it cannot be told."""
    found: set[Place] = set()
    for table in ("tcp", "tcp6"):
        try:
            found |= parse_table(Path(f"/proc/{pid}/net/{table}").read_text())
        except (OSError, ValueError):
            continue
    return found


def describe(places: Collection[Place], port: int) -> str:
    """One clause for a person."""
    if not places:
        return "it listens on no port"
    if any(found == port and not ipaddress.ip_address(address).is_loopback for address, found in places):
        return f"it listens on port {port}"
    shown = ", ".join(f"[{a}]:{p}" if ":" in a else f"{a}:{p}" for a, p in sorted(places)[:_SHOWN])
    return f"it listens on {shown}, not on 0.0.0.0:{port}"


def _address(text: str) -> str:
    """The kernel writes an address as words of 4 bytes, each in the machine's (little-endian) order."""
    raw = b"".join(bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8))
    return str(ipaddress.ip_address(raw))
