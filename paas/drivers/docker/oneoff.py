"""Run a created container to its end and tell what it writes.

Attached before it starts, so that no line is lost; killed when its time is over, which ends the stream.
"""

from __future__ import annotations

import contextlib
import threading

from paas.drivers.docker import frames
from paas.drivers.docker.client import Engine
from paas.errors import DeployFailed, PaasError
from paas.ports import RunSpec, Say

_MARGIN = 30.0
"""Seconds that the engine has beyond the process's own time."""


def run(engine: Engine, container: str, spec: RunSpec, say: Say) -> int:
    """The exit code. Raises DeployFailed (timeout, out_of_memory), Unavailable."""
    is_late = threading.Event()
    timer = threading.Timer(spec.timeout, _kill, (engine, container, is_late))
    timer.daemon = True
    wanted = {"stream": 1, "stdout": 1, "stderr": 1}
    idle = spec.timeout + _MARGIN
    try:
        with engine.hijack(f"/containers/{container}/attach", params=wanted, body=None, idle=idle) as stream:
            with engine.door("start a one-off process") as api:
                api.start(container)
            timer.start()
            for line in frames.output_lines(stream.read):
                say(line)
    finally:
        timer.cancel()
    return _exit_code(engine, container, spec, is_late)


def _exit_code(engine: Engine, container: str, spec: RunSpec, is_late: threading.Event) -> int:
    with engine.door("wait for a one-off process") as api:
        code = int(api.wait(container, timeout=_MARGIN)["StatusCode"])
        out_of_memory = api.inspect_container(container)["State"]["OOMKilled"]
    if is_late.is_set():
        raise DeployFailed(
            f"the command was stopped after {spec.timeout} s",
            reason="timeout",
            stage="run",
            hint="Make it shorter, or split it.",
        )
    if out_of_memory and code:
        raise DeployFailed(
            "the command was killed: it needed more memory than an instance has", reason="out_of_memory", stage="run"
        )
    return code


def _kill(engine: Engine, container: str, is_late: threading.Event) -> None:
    is_late.set()
    with contextlib.suppress(PaasError), engine.door("stop a one-off process") as api:
        api.kill(container)
