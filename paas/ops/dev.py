"""`paas dev`: the same processes in the foreground, under honcho: one log, and one that dies ends all."""

from __future__ import annotations

import contextlib
import os
import signal

from paas import programs
from paas.errors import InvalidInput
from paas.ops import environment, supervisor
from paas.ops.down import down
from paas.ops.processes import programs as wanted
from paas.ops.steps import Steps
from paas.ops.up import prepare
from paas.settings import Settings


def dev(settings: Settings, steps: Steps) -> int:
    """Until Ctrl-C, or until one of them ends; its exit code."""
    down(settings, steps)
    prepare(settings, steps)
    if not (environment.BIN / "honcho").exists():
        raise InvalidInput("honcho is not installed", hint="Run `bin/setup test`.")
    argv = [str(environment.BIN / "honcho"), "start", *wanted(settings)]
    env = {**supervisor.environ(settings), "PYTHONUNBUFFERED": "1"}
    process = programs.start(argv, cwd=environment.ROOT, env=env, stdout=None, stderr=None)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it has its own session, so the terminal tells only us
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
