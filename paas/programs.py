"""The one module that starts programs: an argument list, a fixed small environment, a folder, a time.

Never a shell. A program gets no descriptor and no variable but those named by its caller, and lives in
a session of its own, so that all it started ends with it.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from paas.errors import Unavailable

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
}
MAX_OUTPUT = 1024 * 1024
KILL_SECONDS = 10.0

Stream = int | IO[bytes] | None


@dataclass(frozen=True)
class Finished:
    """How a program ended; its output up to `MAX_OUTPUT` bytes each."""

    code: int
    stdout: bytes
    stderr: bytes


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    timeout: float,
    env: Mapping[str, str] | None = None,
    input: bytes = b"",  # noqa: A002 - as subprocess calls it
) -> Finished:
    """Run it to its end. Raises Unavailable where it is missing or takes longer than `timeout` seconds."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(input)
        given.seek(0)
        process = start(argv, cwd=cwd, env=env, stdin=given, stdout=out, stderr=err)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"{argv[0]} took longer than {timeout:g} s", hint="Try again.") from None
        finally:
            kill(process)
        return Finished(code, _first(out), _first(err))


def start(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = subprocess.PIPE,
    stderr: Stream = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
    memory: int = 0,
) -> subprocess.Popen[bytes]:
    """Start it and return; whoever asked waits for it, or kills it. `memory`: bytes of address space at most."""
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={**ENVIRONMENT, **(env or {})},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=pass_fds,
            close_fds=True,
            start_new_session=True,
        )
    except OSError as error:
        reason = f"{argv[0]} cannot be started: {error.strerror}"
        raise Unavailable(reason, hint="`paas doctor` says what is missing on this machine.") from error
    if memory:
        with suppress(ProcessLookupError):  # it has ended already
            resource.prlimit(process.pid, resource.RLIMIT_AS, (memory, memory))
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """End it and all that it started; nothing happens where it has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(KILL_SECONDS)


def _first(stream: IO[bytes]) -> bytes:
    stream.seek(0)
    return stream.read(MAX_OUTPUT)
