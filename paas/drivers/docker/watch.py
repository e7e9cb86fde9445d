"""Looks after one sandbox while it lives, whatever its program does: time, cancel, disk, processes.

ext4 has no quota for a container's files, so what it wrote is measured; that costs a walk through its files, so first
the host's free space is asked, which costs nothing. A verdict kills the container, and is what its owner then gets.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

from paas.core.builds import Limits
from paas.drivers.docker.client import Engine
from paas.errors import BuildFailed, PaasError
from paas.ports import SandboxTimeout

EVERY = 0.5
"""Seconds between looks."""
_MEASURE_EVERY, _MEASURE_AT_MOST = 30.0, 3.0
_STEP = 128 << 20
"""So much less free space on the host is a reason to measure."""
_CROWDED_FOR = 5.0
"""Seconds at the limit of processes after which a build is a fork bomb."""
HOST_MINIMUM, HOST_RESERVE = 0.10, 0.04
"""Free share of the engine's disk below which none starts, and below which those that write are ended."""


def free_share(folder: str) -> float:
    """How much of the disk is free, between 0 and 1; 1 where it cannot be seen."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 1.0
    return found.f_bavail / found.f_blocks if found.f_blocks else 1.0


class Watch:
    """A thread beside one sandbox."""

    def __init__(
        self, engine: Engine, container: str, limits: Limits, check: Callable[[], None], disk_folder: str
    ) -> None:
        self._engine = engine
        self._container = container
        self._limits = limits
        self._check = check
        self._disk = disk_folder
        self._stop = threading.Event()
        self._ends = time.monotonic() + limits.seconds
        self._free = self._free_bytes()
        self._measured = self._rested = time.monotonic()
        self._crowded = 0.0
        self._lock = threading.Lock()
        self.verdict: Exception | None = None
        """Why it was ended; None while it may go on."""
        self._thread = threading.Thread(target=self._run, name=f"watch {container[:12]}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """It is gone; look no more."""
        self._stop.set()

    def end(self, why: Exception) -> None:
        """End the sandbox for this reason, unless it was ended for another."""
        with self._lock:
            self.verdict = self.verdict or why
        with contextlib.suppress(PaasError), self._engine.door("end a sandbox") as api:
            api.kill(self._container)

    def raise_verdict(self) -> None:
        """Raise why it was ended, if it was."""
        if self.verdict is not None:
            raise self.verdict

    def is_crowded(self) -> bool:
        """Has it as many processes as it may have, or nearly?"""
        with contextlib.suppress(PaasError), self._engine.door("count processes") as api:
            url = f"{api.base_url}/v{api.api_version}/containers/{self._container}/stats"
            answer = api.get(url, params={"stream": "false", "one-shot": "true"}, timeout=10)
            count = (answer.json().get("pids_stats") or {}).get("current") or 0
            return int(count) >= self._limits.processes * 0.95
        return False

    def too_crowded(self) -> BuildFailed:
        """What a build with too many processes is told."""
        return BuildFailed(
            f"the build started more than {self._limits.processes} processes and threads",
            reason="TooManyProcesses",
            stage="sandbox",
            hint="Build with fewer jobs at once; operators set PAAS_BUILD_PROCESSES.",
        )

    def _run(self) -> None:
        looks = 0
        while not self._stop.wait(EVERY):
            looks += 1
            why = self._judge(looks)
            if why is not None and not self._stop.is_set():
                self.end(why)
                return

    def _judge(self, looks: int) -> Exception | None:
        if time.monotonic() > self._ends:
            return SandboxTimeout(f"the build took longer than its {self._limits.seconds} s")
        try:
            self._check()
            self._check_disk()
            if looks % 4 == 0:
                self._check_processes()
        except PaasError as error:
            return error
        return None

    def _check_disk(self) -> None:
        free, now = self._free_bytes(), time.monotonic()
        used = self._free - free
        waited = now - self._measured
        is_due = used > min(_STEP, self._limits.disk // 4) or waited > _MEASURE_EVERY or not free
        if not self._limits.disk or not is_due or now < self._rested or (not free and waited < _MEASURE_AT_MOST):
            return
        written = self._written()
        self._free, self._measured = free, time.monotonic()
        self._rested = self._measured + 4 * (self._measured - now)  # a large tree takes long to walk
        if written > self._limits.disk:
            raise _disk_full(f"the build wrote more than its {_size(self._limits.disk)}", "PAAS_BUILD_DISK")
        if free_share(self._disk) < HOST_RESERVE and written > _STEP:
            raise _disk_full("the machine's disk is nearly full", "free some of it")

    def _written(self) -> int:
        try:
            with self._engine.stream(f"/containers/{self._container}/json", {"size": "1"}, idle=120) as response:
                return int(response.json().get("SizeRw") or 0)
        except PaasError:
            return 0  # it is being removed, or the engine restarts: the next look tells

    def _check_processes(self) -> None:
        if not self.is_crowded():
            self._crowded = 0.0
            return
        self._crowded = self._crowded or time.monotonic()
        if time.monotonic() - self._crowded > _CROWDED_FOR:
            raise self.too_crowded()

    def _free_bytes(self) -> int:
        try:
            found = os.statvfs(self._disk)
        except OSError:
            return 0
        return found.f_bavail * found.f_frsize


def host_is_full() -> BuildFailed:
    """What a build is told that does not start."""
    return _disk_full(f"less than {HOST_MINIMUM:.0%} of the engine's disk is free", "free some: paas gc, docker prune")


def _disk_full(message: str, what: str) -> BuildFailed:
    return BuildFailed(
        message,
        reason="DiskFull",
        stage="sandbox",
        hint=f"Write less, and leave caches and build results out; operators: {what}.",
    )


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"
