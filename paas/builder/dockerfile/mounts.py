"""`RUN --mount`: what a command is lent and the image does not keep. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Literal

from paas.builder.dockerfile.parse import invalid
from paas.builder.dockerfile.walk import Act

Kind = Literal["secret", "bind", "cache", "tmpfs"]
_KINDS: dict[str, Kind] = {"secret": "secret", "bind": "bind", "cache": "cache", "tmpfs": "tmpfs"}


@dataclass(frozen=True)
class Mount:
    """One of them."""

    kind: Kind
    source: str
    """A secret's name, or a path of the context or of `origin`."""
    target: str
    """Where it is; empty: where the sandbox has secrets anyway."""
    origin: str = ""
    """The stage or image that a bind comes from; empty: the context."""
    is_required: bool = False
    variable: str = ""
    """The environment variable that a secret is given as."""
    owner: str = ""
    """`uid:gid` that may read a secret; empty: root."""


def mounts(act: Act) -> list[Mount]:
    """The mounts of a RUN. Raises BuildFailed naming the line."""
    if act.instruction.name != "RUN":
        return []
    _refuse_flags(act)
    return [_mount(act, value) for name, value in act.instruction.flags if name == "mount"]


def _refuse_flags(act: Act) -> None:
    flags = dict(act.instruction.flags)
    if flags.get("network", "default") != "default":
        raise invalid(act.instruction.line, "RUN --network is not supported: builds have one network")
    if flags.get("security", "sandbox") != "sandbox":
        raise invalid(act.instruction.line, "RUN --security=insecure is refused")


def _mount(act: Act, text: str) -> Mount:
    line = act.instruction.line
    options = dict(part.partition("=")[::2] for part in text.split(",") if part)
    kind = _KINDS.get(options.get("type", "bind"))
    if kind is None:
        raise invalid(line, f"RUN --mount=type={options.get('type', '')[:20]} is not supported")
    target = options.get("target") or options.get("dst") or options.get("destination") or ""
    if kind == "secret":
        name = options.get("id") or posixpath.basename(target)
        is_required = options.get("required", "false" if "required" not in options else "") in ("true", "1", "")
        place = "" if target in ("", f"/run/secrets/{name}") else posixpath.join(act.folder, target)
        ids = options.get("uid", "0"), options.get("gid", "0")
        owner = ":".join(ids) if all(one.isdecimal() for one in ids) else ""
        return Mount(kind, name, place, "", is_required, options.get("env", ""), owner)
    if not target:
        raise invalid(line, f"RUN --mount=type={kind} needs a target")
    source = options.get("source") or options.get("src") or ""
    return Mount(kind, source, posixpath.join(act.folder, target), options.get("from", ""))
