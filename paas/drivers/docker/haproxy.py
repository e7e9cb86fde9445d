"""The run-time API of HAProxy: its master process, and each of its workers through the master's socket.

After a reload old workers finish the connections they have, so every change and every count asks all of them: a client
that kept its connection may still send a request to an old one.
"""

from __future__ import annotations

import contextlib
import csv
import io
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from paas import programs
from paas.errors import Unavailable

_PAUSE = 0.01
_REPLY_MAX = 4 * 1024 * 1024


@dataclass(frozen=True)
class Workers:
    """Process ids: of the worker that accepts connections, and of those that only finish theirs."""

    current: tuple[int, ...]
    old: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        return (*self.current, *self.old)


def check(config: Path, *, timeout: float = 30) -> str:
    """What the router has against a configuration file; empty if nothing."""
    done = programs.run(["haproxy", "-c", "-q", "-f", str(config)], cwd=config.parent, timeout=timeout)
    return "" if done.code == 0 else done.stderr.decode("utf-8", "replace").strip() or "it gave no reason"


class Master:
    """The master's socket."""

    def __init__(self, path: Path, *, timeout: float = 10) -> None:
        self._path = path
        self._timeout = timeout

    def is_up(self) -> bool:
        """Does it answer?"""
        try:
            return bool(self.workers().current)
        except Unavailable:
            return False

    def workers(self) -> Workers:
        return parse_workers(self._say("show proc"))

    def say(self, worker: int, command: str) -> str:
        """One command for one worker; its answer."""
        return self._say(f"@!{worker} {command}").strip()

    def say_to_all(self, command: str) -> dict[int, str]:
        """Answers by worker; an old one that has just ended is left out."""
        workers = self.workers()
        answers = {worker: self.say(worker, command) for worker in workers.current}
        for worker in workers.old:
            try:
                answers[worker] = self.say(worker, command)
            except Unavailable:
                continue
        return answers

    def reload(self) -> None:
        """Return once a worker with the new configuration accepts connections."""
        before = set(self.workers().current)
        with contextlib.suppress(Unavailable):
            self._say("reload")  # the master drops the connection as it starts anew: what counts is what it shows then
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            try:
                current = self.workers().current
            except Unavailable:
                current = ()
            if current and not before & set(current):
                return
            time.sleep(_PAUSE)
        raise Unavailable("the router did not take its new configuration", hint="See the router's own log.")

    def _say(self, line: str) -> str:
        if "\n" in line or ";" in line:
            raise ValueError("one command only")
        answer = b""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._timeout)
                connection.connect(str(self._path))
                connection.sendall(f"{line}\n".encode("ascii"))
                connection.shutdown(socket.SHUT_WR)
                while data := connection.recv(65536):
                    answer += data
                    if len(answer) > _REPLY_MAX:
                        break
        except OSError as error:
            raise Unavailable(
                f"the router does not answer: {error}", hint="Is it running? See `paas doctor`."
            ) from error
        return answer.decode("utf-8", "replace")


def parse_workers(shown: str) -> Workers:
    """Reads `show proc`."""
    found: dict[str, list[int]] = {"workers": [], "old workers": []}
    section = ""
    for line in shown.splitlines():
        if line.startswith("# "):
            section = line[2:].strip()
        fields = line.split()
        if section in found and len(fields) > 1 and fields[0].isdigit() and fields[1] == "worker":
            found[section].append(int(fields[0]))
    return Workers(tuple(found["workers"]), tuple(found["old workers"]))


def parse_servers(shown: str) -> dict[str, tuple[str, int]]:
    """Reads `show stat` of one backend: status and current sessions by server."""
    rows = csv.DictReader(io.StringIO(shown.removeprefix("# ")))
    return {row["svname"]: (row["status"], int(row["scur"] or 0)) for row in rows if row.get("svname")}
