"""What `paasctl login` remembers: servers, their tokens, and which one is current.

One file that only its owner can read, replaced as a whole, so that a crash leaves the old or the new.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from paas.errors import InvalidInput


@dataclass(frozen=True)
class Server:
    """A platform and how to be somebody there. `token_id` is set where login itself made the token."""

    url: str
    user: str
    token: str = field(repr=False)
    token_id: str = ""


@dataclass(frozen=True)
class Store:
    """All known servers by URL; `current` is the one used last to log in."""

    current: str = ""
    servers: dict[str, Server] = field(default_factory=dict)

    def add(self, server: Server) -> Store:
        return Store(server.url, {**self.servers, server.url: server})

    def remove(self, url: str) -> Store:
        left = {known: server for known, server in self.servers.items() if known != url}
        current = self.current if self.current in left else next(iter(left), "")
        return replace(self, current=current, servers=left)


def load(path: Path, warn: Callable[[str], None]) -> Store:
    """What is remembered; closes a file that others can read and says so. Raises InvalidInput where it is broken."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            path.chmod(0o600)
            warn(f"{path} was readable by others (mode {mode:o}); it is yours alone now. Consider a new login.")
        data = json.loads(path.read_text(encoding="utf-8"))
        servers = {url: Server(url, **entry) for url, entry in data["servers"].items()}
        return Store(data["current"], servers)
    except FileNotFoundError:
        return Store()
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise InvalidInput(
            f"{path} cannot be read: {error}", hint="Remove it and log in again with `paasctl login`."
        ) from error


def save(path: Path, store: Store) -> None:
    """Replace the file. Raises InvalidInput where the folder cannot be written."""
    entries = {url: asdict(server) for url, server in store.servers.items()}
    for entry in entries.values():
        del entry["url"]
    content = json.dumps({"current": store.current, "servers": entries}, indent=2) + "\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        _replace(path, content)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error}", hint="Check the folder's owner and mode.") from error


def _replace(path: Path, content: str) -> None:
    draft = path.with_name(f".config-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
