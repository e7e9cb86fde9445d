"""Our side of the hook: installs it, reads what it sends, answers it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paas.errors import InvalidInput
from paas.git import commands, hook
from paas.settings import MIB, Settings

MAX_REQUEST = 4 * MIB


class HookGone(Exception):
    """Nobody listens any more: git has ended, or was ended."""


@dataclass(frozen=True)
class Arrival:
    """What the hook sent: git's lines, and where the objects wait that are not yet in the repository."""

    lines: bytes
    quarantine: Mapping[str, str]


def install(settings: Settings) -> Path:
    """The hooks' folder, with the hook of this version in it."""
    folder = commands.hooks_folder(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    source = Path(hook.__file__).read_text()
    aside = folder / f"new-{os.getpid()}"
    aside.write_text(f"#!{sys.executable} -IS\n{source}")
    aside.chmod(0o700)
    aside.replace(folder / "pre-receive")
    return folder


def receive(peer: socket.socket, repository: Path) -> Arrival | None:
    """What the hook sends; None where git ended without calling it. Raises InvalidInput."""
    data = bytearray()
    while piece := peer.recv(65536):
        data += piece
        if len(data) > MAX_REQUEST:
            raise InvalidInput("the push names too many refs", field="ref", hint="Push fewer at once.")
    if not data:
        return None
    parts = bytes(data).split(b"\0", len(hook.VARIABLES))
    if len(parts) != len(hook.VARIABLES) + 1:
        raise InvalidInput("the hook's request is damaged", hint="Push again.")
    values = {name: os.fsdecode(part) for name, part in zip(hook.VARIABLES, parts[:-1], strict=True) if part}
    _check(values, repository)
    return Arrival(parts[-1], values)


def _check(values: Mapping[str, str], repository: Path) -> None:
    """Objects are read from this repository only. A deletion alone has no quarantine."""
    inside = str((repository / "objects").resolve())
    for value in values.values():
        for part in value.strip('"').split(":"):
            path = str((repository / part).resolve())
            if path != inside and not path.startswith(inside + "/"):
                raise InvalidInput("the hook's request is damaged", hint="Push again.")


def say(peer: socket.socket, text: str) -> None:
    """One line for the pusher. Raises HookGone."""
    _send(peer, b"o", text.encode("utf-8", "replace") + b"\n")


def end(peer: socket.socket, code: int) -> None:
    """The hook exits with this code."""
    _send(peer, b"x", str(code).encode())


def _send(peer: socket.socket, kind: bytes, body: bytes) -> None:
    try:
        peer.sendall(kind + len(body).to_bytes(4, "big") + body)
    except OSError as error:
        raise HookGone(str(error)) from error
