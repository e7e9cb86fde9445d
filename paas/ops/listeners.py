"""Who listens on a port of this machine: for an error that names the program in the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_LISTEN = "0A"


def listener(port: int, proc: Path = Path("/proc")) -> tuple[int, str]:
    """Process id and command line of whoever listens on the TCP port; (0, "") if nobody does.

    A listener that only another user may look into is (0, "a program of another user").
    """
    inodes = set(_inodes(port, proc))
    if not inodes:
        return 0, ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in proc.iterdir():
        if process.name.isdigit() and _holds(process, wanted):
            return int(process.name), _command(process)
    return 0, "a program of another user"


def _inodes(port: int, proc: Path) -> Iterator[str]:
    for name in ("tcp", "tcp6"):
        table = proc / "net" / name
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _holds(process: Path, wanted: set[str]) -> bool:
    try:
        return any(str(link.readlink()) in wanted for link in (process / "fd").iterdir())
    except OSError:  # it has ended, or it is not ours to look into
        return False


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()[:200]
    except OSError:
        return "a program that has just ended"
