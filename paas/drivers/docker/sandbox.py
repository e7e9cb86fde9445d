"""Untrusted code in a container of its own: `ports.Sandboxes`.

The container only waits; programs run in it one after another by `exec`. A timer ends it when its time is over. What
it changed comes out as streams of entries, never onto the host's disk.
"""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import tarfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from paas.core.builds import Limits
from paas.drivers.docker import changed, extract, frames, render
from paas.drivers.docker.client import Engine, RegistryAuth, is_disk_full
from paas.drivers.docker.networks import Networks
from paas.errors import BuildFailed, NotFound, PaasError, Unavailable
from paas.oci import archive
from paas.ports import Changes, SandboxOutOfMemory, SandboxSettings, SandboxTimeout, Say

CA_BUNDLE = "/tmp/paas/ca-bundle.crt"  # noqa: S108 - inside the sandbox
_CA_VARIABLES = (
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
)
_OURS = ("tmp/paas", "sbin/docker-init", "usr/sbin/docker-init")
"""Paths that this module or the engine puts into the container."""
ARCHIVE_LIMITS = archive.Limits(max_bytes=8 << 30, max_entries=500_000)
"""Of what one build may change: 8 GiB."""
_USER, _GROUP = 1001, 0
_MARGIN = 30.0
_LIST_MAX = 128 * 1024 * 1024
_KILLED = 137


class DockerSandboxes:
    """Opens the sandboxes of one installation."""

    def __init__(
        self,
        engine: Engine,
        *,
        installation: str,
        settings: SandboxSettings,
        registry_auth: RegistryAuth,
        networks: Networks,
        archive_limits: archive.Limits = ARCHIVE_LIMITS,
    ) -> None:
        self._engine = engine
        self._installation = installation
        self._settings = settings
        self._auth = registry_auth
        self._networks = networks
        self._archive_limits = archive_limits

    def open(self, image: str, limits: Limits, *, build_id: str) -> DockerSandbox:
        """A started sandbox. Raises BuildFailed, Unavailable."""
        try:
            shown = self._engine.pull(image, self._auth)
        except NotFound as error:
            raise BuildFailed(
                error.message, reason="image_missing", stage="sandbox", hint="Name another builder."
            ) from error
        body = render.sandbox(
            self._installation,
            str(shown["Id"]),
            limits,
            build_id=build_id,
            env=self._env(),
            network=self._networks.ensure_builds(),
        )
        name = render.sandbox_name(self._installation, build_id, secrets.token_hex(4))
        container = ""
        try:
            with self._engine.door("open a sandbox") as api:
                container = str(api.create_container_from_config(body, name)["Id"])
                if self._settings.ca_bundle:
                    api.put_archive(container, "/", _ca_archive(self._settings.ca_bundle))
                api.start(container)
        except PaasError as error:
            _remove(self._engine, container or name)
            raise _open_failed(error) from error
        return DockerSandbox(self._engine, container, limits, self._archive_limits)

    def sweep(self, keep: frozenset[str]) -> int:
        """Remove the sandboxes of all builds but these; how many."""
        with self._engine.door("list sandboxes") as api:
            wanted = render.own(self._installation, "sandbox")
            listed = api.containers(all=True, filters={"label": wanted})
        doomed = [c["Id"] for c in listed if c["Labels"].get(render.BUILD_ID) not in keep]
        for container in doomed:
            _remove(self._engine, container)
        return len(doomed)

    def _env(self) -> dict[str, str]:
        certificates = dict.fromkeys(_CA_VARIABLES, CA_BUNDLE) if self._settings.ca_bundle else {}
        return {**certificates, **self._settings.env}


class DockerSandbox:
    """One sandbox, from its start until `close`."""

    def __init__(self, engine: Engine, container: str, limits: Limits, archive_limits: archive.Limits) -> None:
        self._engine = engine
        self._container = container
        self._limits = limits
        self._archive_limits = archive_limits
        self._is_late = threading.Event()
        self._timer = threading.Timer(limits.seconds, self._end_time)
        self._timer.daemon = True
        self._timer.start()

    def put(self, tar: Iterable[bytes], path: str) -> None:
        """Unpack a tar inside, below an absolute path, which is made if it is missing."""
        with self._judged():
            if self._engine.stat(self._container, path) is None:
                with self._engine.door("make a folder in a sandbox") as api:
                    api.put_archive(self._container, "/", _folder_archive(path))
            with self._engine.door("put files into a sandbox") as api:
                api.put_archive(self._container, path, iter(tar))

    def run(self, argv: tuple[str, ...], env: Mapping[str, str], say: Say, user: str = "") -> int:
        """Run a program, telling each line; the exit code. Raises SandboxTimeout, SandboxOutOfMemory."""
        began = time.time()
        idle = self._limits.seconds + _MARGIN
        with self._judged():
            with self._engine.door("run a program in a sandbox") as api:
                listed = [f"{name}={value}" for name, value in sorted(env.items())]
                made = api.exec_create(
                    self._container, list(argv), environment=listed, user=user or render.DEFAULT_USER
                )
            start = {"Detach": False, "Tty": False}
            with self._engine.hijack(f"/exec/{made['Id']}/start", params={}, body=start, idle=idle) as stream:
                for line in frames.output_lines(stream.read):
                    say(line)
            with self._engine.door("ask for an exit code") as api:
                code = api.exec_inspect(made["Id"])["ExitCode"]
        if self._is_late.is_set():
            raise self._too_late()
        if code and self._was_out_of_memory(began, int(code)):
            mebibytes = self._limits.memory // (1024 * 1024)
            raise SandboxOutOfMemory(f"the build needed more than its {mebibytes} MiB of memory")
        return _KILLED if code is None else int(code)

    def changes(self, ignored: tuple[str, ...]) -> Changes:
        """What was changed against the image, streamed; read it before anything else is asked of the sandbox."""
        with self._judged():
            found = changed.Changed(self._listed(), (*ignored, *_OURS))
        entries = extract.entries(self._engine, self._container, found, self._archive_limits)
        return Changes(self._judge_entries(entries), found.deleted)

    def close(self) -> None:
        """Nothing of it is left."""
        self._timer.cancel()
        _remove(self._engine, self._container)

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
        """Whatever fails once the time is over fails for that reason."""
        try:
            yield
        except PaasError as error:
            if self._is_late.is_set():
                raise self._too_late() from error
            if isinstance(error, NotFound):
                raise Unavailable("the sandbox is gone", hint="Someone removed it: build again.") from error
            raise
        if self._is_late.is_set():
            raise self._too_late()

    def _too_late(self) -> SandboxTimeout:
        return SandboxTimeout(f"the build took longer than its {self._limits.seconds} s")

    def _end_time(self) -> None:
        self._is_late.set()
        with contextlib.suppress(PaasError), self._engine.door("end a sandbox") as api:
            api.kill(self._container)

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


def _remove(engine: Engine, container: str) -> None:
    with contextlib.suppress(NotFound), engine.door("remove a sandbox") as api:
        api.remove_container(container, force=True, v=True)


def _open_failed(error: PaasError) -> PaasError:
    if is_disk_full(error):
        return BuildFailed(error.message, reason="no_space", stage="sandbox", hint=error.hint)
    return error


def _ca_archive(bundle: bytes) -> bytes:
    path = CA_BUNDLE.strip("/")
    return _archive({path.rpartition("/")[0]: None, path: bundle})


def _folder_archive(path: str) -> bytes:
    return _archive({path.strip("/"): None})


def _archive(files: Mapping[str, bytes | None]) -> bytes:
    """A small tar of folders (None) and files that the sandbox's user owns."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.uid, info.gid = _USER, _GROUP
            info.type, info.mode = (tarfile.DIRTYPE, 0o775) if body is None else (tarfile.REGTYPE, 0o644)
            info.size = len(body or b"")
            tar.addfile(info, io.BytesIO(body or b""))
    return buffer.getvalue()
