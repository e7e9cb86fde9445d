"""Untrusted code in a container of its own: `ports.Sandboxes`.

Here they are opened and swept; what an open one does is in `opened`, how it is looked after in `watch`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from paas.core.builds import Limits
from paas.drivers.docker import render, waiting
from paas.drivers.docker.client import Engine, RegistryAuth, is_disk_full
from paas.drivers.docker.networks import Networks
from paas.drivers.docker.opened import DockerSandbox, remove, small_archive
from paas.drivers.docker.secretfiles import TARGET, SecretFiles
from paas.drivers.docker.watch import HOST_MINIMUM, Watch, free_share, host_is_full
from paas.errors import BuildFailed, NotFound, PaasError
from paas.oci import archive
from paas.ports import ORDINARY, Opening, SandboxSettings

CA_BUNDLE = "/tmp/paas/ca-bundle.crt"  # noqa: S108 - inside the sandbox
_CA_VARIABLES = (
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
)
_WAITER = "tmp/paas/wait"
ARCHIVE_LIMITS = archive.Limits(max_bytes=8 << 30, max_entries=500_000)
"""Of what one build may change: 8 GiB."""


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
        self._secrets = SecretFiles(installation)
        self._root = ""

    def open(self, image: str, limits: Limits, *, build_id: str, opening: Opening = ORDINARY) -> DockerSandbox:
        """A started sandbox. Raises BuildFailed, Unavailable."""
        opening.check()
        root = self._disk_folder()
        if free_share(root) < HOST_MINIMUM:
            raise host_is_full()
        shown = self._pulled(image)
        number = secrets.token_hex(4)
        waiter = waiting.program(str(shown.get("Architecture")))
        folder = self._secret_files(build_id, number, opening)
        container = name = render.sandbox_name(self._installation, build_id, number)
        try:
            body = render.sandbox(
                self._installation,
                str(shown["Id"]),
                limits,
                render.Inside(
                    env=self._env(),
                    network=self._networks.ensure_builds(),
                    wait=(f"/{_WAITER}",) if waiter else ("sleep", "infinity"),
                    mounts=_mounts(folder, opening),
                    as_root=opening.as_root,
                ),
                build_id=build_id,
            )
            with self._engine.door("open a sandbox") as api:
                container = str(api.create_container_from_config(body, name)["Id"])
                if opening.starts:
                    if self._settings.ca_bundle:
                        bundle = _with_folder(CA_BUNDLE, self._settings.ca_bundle)
                        api.put_archive(container, "/", small_archive(bundle))
                    api.put_archive(container, "/", small_archive(_with_folder(_WAITER, waiter), 0o755))
                    api.start(container)
        except PaasError as error:
            remove(self._engine, container)
            self._forget(folder)
            raise _open_failed(error) from error
        return DockerSandbox(
            self._engine,
            container,
            limits,
            self._archive_limits,
            Watch(self._engine, container, limits, opening.check, root),
            ours=tuple(path.strip("/") for path in opening.places),
            has_root=opening.as_root,
            clean=lambda: self._forget(folder),
        )

    def sweep(self, running: Callable[[], frozenset[str]]) -> int:
        """Remove the sandboxes of all builds but those that run; how many."""
        with self._engine.door("list sandboxes") as api:
            wanted = render.own(self._installation, "sandbox")
            listed = api.containers(all=True, filters={"label": wanted})
        secret_folders = self._secrets.listed()
        keep = running()  # after the list: a sandbox that is opened meanwhile is not in it
        doomed = [c["Id"] for c in listed if c["Labels"].get(render.BUILD_ID) not in keep]
        for container in doomed:
            remove(self._engine, container)
        for folder, build_id in secret_folders.items():
            if build_id not in keep:
                self._secrets.remove(folder)
        return len(doomed)

    def _pulled(self, image: str) -> Mapping[str, Any]:
        try:
            return self._engine.pull(image, self._auth)
        except NotFound as error:
            raise BuildFailed(
                error.message, reason="image_missing", stage="sandbox", hint="Name another builder."
            ) from error

    def _secret_files(self, build_id: str, number: str, opening: Opening) -> Path | None:
        if not opening.secrets:
            return None
        return self._secrets.write(build_id, number, opening.secrets, _owner(opening.user))

    def _forget(self, folder: Path | None) -> None:
        if folder is not None:
            self._secrets.remove(folder)

    def _disk_folder(self) -> str:
        """Where the engine keeps what containers write."""
        if not self._root:
            with self._engine.door("ask for the engine's folder") as api:
                self._root = str(api.info().get("DockerRootDir") or "/var/lib/docker")
        return self._root

    def _env(self) -> dict[str, str]:
        certificates = dict.fromkeys(_CA_VARIABLES, CA_BUNDLE) if self._settings.ca_bundle else {}
        return {**certificates, **self._settings.env}


def _open_failed(error: PaasError) -> PaasError:
    if is_disk_full(error):
        return BuildFailed(error.message, reason="no_space", stage="sandbox", hint=error.hint)
    return error


def _mounts(folder: Path | None, opening: Opening) -> dict[str, str]:
    """Host path by path inside."""
    if folder is None:
        return {}
    at_places = {path: str(folder / name) for path, name in opening.places.items() if name in opening.secrets}
    return {TARGET: str(folder), **at_places}


def _with_folder(path: str, body: bytes) -> dict[str, bytes | None]:
    path = path.strip("/")
    return {path.rpartition("/")[0]: None, path: body}


def _owner(user: str) -> str:
    return user if user.partition(":")[0].isdecimal() else render.DEFAULT_USER
