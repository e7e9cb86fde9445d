"""One open sandbox: `ports.Sandbox`.

The container only waits; programs run in it one after another by `exec`, watched from beside (watch.py). What it
changed comes out as streams of entries, never onto the host's disk, while its programs are frozen.
"""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any

from paas.core.builds import Limits
from paas.drivers.docker import changed, extract, frames, render
from paas.drivers.docker.client import Engine
from paas.drivers.docker.flood import Flood
from paas.drivers.docker.watch import Watch
from paas.errors import BuildFailed, Conflict, NotFound, PaasError, Unavailable
from paas.oci import archive
from paas.ports import Changes, SandboxOutOfMemory, Say

_OURS = ("tmp/paas", "run/secrets", "sbin/docker-init", "usr/sbin/docker-init")
"""Paths that this room or the engine puts into the container."""
_USER, _GROUP = 1001, 0
_MARGIN = 30.0
_LIST_MAX = 128 * 1024 * 1024
_KILLED = 137


class DockerSandbox:
    """From its start until `close`."""

    def __init__(
        self,
        engine: Engine,
        container: str,
        limits: Limits,
        archive_limits: archive.Limits,
        watch: Watch,
        *,
        ours: tuple[str, ...] = (),
        has_root: bool = False,
        clean: Callable[[], None] = lambda: None,
    ) -> None:
        """`ours`: paths that were put into it; `clean`: what else to do when it is gone."""
        self._engine = engine
        self._container = container
        self._limits = limits
        self._archive_limits = archive_limits
        self._watch = watch
        self._ours = (*_OURS, *ours)
        self._has_root = has_root
        self._clean = clean
        self._is_frozen = False

    def put(self, tar: Iterable[bytes], path: str) -> None:
        """Unpack a tar inside, below an absolute path, which is made if it is missing."""
        with self._judged():
            if self._engine.stat(self._container, path) is None:
                with self._engine.door("make a folder in a sandbox") as api:
                    api.put_archive(self._container, "/", folder_archive(path))
            with self._engine.door("put files into a sandbox") as api:
                api.put_archive(self._container, path, iter(tar))

    def run(self, argv: tuple[str, ...], env: Mapping[str, str], say: Say, user: str = "", *, folder: str = "") -> int:
        """Run a program, telling each line; the exit code. Raises SandboxTimeout, SandboxOutOfMemory, BuildFailed."""
        began = time.time()
        idle = self._limits.seconds + _MARGIN
        flood = Flood(say)
        with self._judged():
            with self._engine.door("run a program in a sandbox") as api:
                listed = [f"{name}={value}" for name, value in sorted(env.items())]
                made = api.exec_create(
                    self._container,
                    list(argv),
                    environment=listed,
                    user=user or render.DEFAULT_USER,
                    workdir=folder or None,
                )
            start = {"Detach": False, "Tty": False}
            with self._engine.hijack(f"/exec/{made['Id']}/start", params={}, body=start, idle=idle) as stream:
                self._relay(stream.read, flood)
            with self._engine.door("ask for an exit code") as api:
                code = api.exec_inspect(made["Id"])["ExitCode"]
        if code:
            self._explain(began, int(code))
        return _KILLED if code is None else int(code)

    def read(self, path: str) -> Generator[extract.Item, None, None]:
        """What lies at an absolute path, with paths from the root. Raises NotFound, BuildFailed."""
        if self._engine.stat(self._container, path) is None:
            raise NotFound(f"there is no {path}")
        with self._judged():
            yield from extract.at(self._engine, self._container, path, self._archive_limits)

    def changes(self, ignored: tuple[str, ...]) -> Changes:
        """What was changed against the image, streamed; read it before anything else is asked of the sandbox."""
        with self._judged():
            with contextlib.suppress(Conflict, Unavailable), self._engine.door("freeze a sandbox") as api:
                api.pause(self._container)  # a program that still runs must not change what is being read
                self._is_frozen = True
            found = changed.Changed(self._listed(), (*ignored, *self._ours), tops=self._has_root)
        entries = extract.entries(self._engine, self._container, found, self._archive_limits)
        return Changes(self._judge_entries(entries), found.deleted)

    def close(self) -> None:
        """Nothing of it is left; what was frozen is removed while the build goes on.

        The engine writes all of a container's files to the disk before it removes them, which takes seconds.
        """
        try:
            if self._is_frozen:
                threading.Thread(target=self._remove, name=f"remove {self._container[:12]}").start()
            else:
                remove(self._engine, self._container)
        finally:
            self._watch.stop()
            self._clean()

    def _remove(self) -> None:
        with contextlib.suppress(PaasError):  # the sweep comes for what is left
            remove(self._engine, self._container)

    def _relay(self, read: Callable[[int], bytes], flood: Flood) -> None:
        try:
            for line in frames.output_lines(lambda count: flood.count(read(count))):
                flood.tell(line)
        except PaasError as error:  # whoever listens wants no more, or it is too much
            self._watch.end(error)
            raise
        flood.end()

    def _explain(self, began: float, code: int) -> None:
        """Raise what made a program fail, where it was a limit."""
        if self._was_out_of_memory(began, code):
            mebibytes = self._limits.memory // (1024 * 1024)
            raise SandboxOutOfMemory(f"the build needed more than its {mebibytes} MiB of memory")
        if self._watch.is_crowded():
            raise self._watch.too_crowded()

    def _listed(self) -> list[dict[str, Any]]:
        """The engine's list of changed paths. Raises BuildFailed where it has no end."""
        with self._engine.stream(f"/containers/{self._container}/changes", {}, idle=self._limits.seconds) as response:
            text = response.raw.read(_LIST_MAX + 1)
        if len(text) > _LIST_MAX:
            raise BuildFailed(
                "the build made too many files", reason="too_many_files", stage="export", hint="Leave caches out."
            )
        listed: list[dict[str, Any]] | None = json.loads(text)
        return listed or []

    def _judge_entries(self, entries: Iterator[extract.Item]) -> Iterator[extract.Item]:
        with self._judged():
            yield from entries

    @contextlib.contextmanager
    def _judged(self) -> Iterator[None]:
        """Whatever fails once it was ended fails for that reason."""
        try:
            yield
        except PaasError as error:
            if self._watch.verdict is not None and self._watch.verdict is not error:
                raise self._watch.verdict from error
            if isinstance(error, NotFound):
                raise Unavailable("the sandbox is gone", hint="Someone removed it: build again.") from error
            raise
        self._watch.raise_verdict()

    def _was_out_of_memory(self, began: float, code: int) -> bool:
        """Did the kernel kill a process of it for its memory since then? The engine tells, a moment later."""
        for pause in (0.0, 0.2) if code == _KILLED else (0.0,):
            time.sleep(pause)
            wanted = {"container": [self._container], "event": ["oom"]}
            query = {"since": f"{began:.6f}", "until": f"{time.time():.6f}", "filters": json.dumps(wanted)}
            with self._engine.stream("/events", query) as response:
                if response.raw.read(1):
                    return True
        return False


def remove(engine: Engine, container: str) -> None:
    """A container is gone."""
    with contextlib.suppress(NotFound), engine.door("remove a sandbox") as api:
        api.remove_container(container, force=True, v=True)


def folder_archive(path: str) -> bytes:
    return small_archive({path.strip("/"): None})


def small_archive(files: Mapping[str, bytes | None], mode: int = 0o644) -> bytes:
    """A small tar of folders (None) and files that the sandbox's user owns."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.uid, info.gid = _USER, _GROUP
            info.type, info.mode = (tarfile.DIRTYPE, 0o775) if body is None else (tarfile.REGTYPE, mode)
            info.size = len(body or b"")
            tar.addfile(info, io.BytesIO(body or b""))
    return buffer.getvalue()
