"""The machine's real parts for tests that need no builder images: an engine, registries, a source's blob."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from paas.drivers.docker.client import Engine
from paas.errors import Unavailable
from paas.oci import archive
from paas.oci.registry import Registry

DOCKER = os.environ.get("PAAS_DOCKER_HOST", "unix:///var/run/docker.sock")
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
TINY = "paas/contract-tests:2"
"""Busybox and Python: made by tests/contracts/conftest.py, 61 MB."""


def require(condition: object, what: str) -> None:
    """Skip at home, fail where CI=true."""
    if not condition:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is missing")


def open_engine() -> Engine:
    opened = Engine(DOCKER)
    try:
        with opened.door("greet") as api:
            api.ping()
    except Unavailable:
        require(False, "a Docker Engine")
    return opened


@contextmanager
def running_registry(folder: Path) -> Iterator[str]:
    """A registry of its own; yields HOST:PORT. The engine forgets its images afterwards."""
    program = shutil.which("docker-registry")
    require(program, "docker-registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": host},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(program), "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        with Registry(f"http://{host}", patience=0) as starting:
            _wait_for(starting)
        yield host
    finally:
        process.kill()
        process.wait(10)
        forget(host)


def forget(host: str) -> None:
    """The engine holds no image of this registry any more."""
    listed = ["docker", "images", "--digests", "--format", "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}"]
    lines = subprocess.run(listed, check=True, capture_output=True, text=True, timeout=60).stdout.split()
    ours = [name for name in lines if name.startswith(f"{host}/") and "<none>" not in name]
    if ours:
        subprocess.run(["docker", "rmi", *ours], check=False, capture_output=True, timeout=120)


def _wait_for(registry: Registry) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            return registry.ping()
        except Unavailable:
            time.sleep(0.05)
    raise AssertionError("the registry did not start")


def store(registry: Registry, repository: str, files: Mapping[str, str | bytes]) -> str:
    """The files as a canonical source in a repository; its digest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            body = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(name)
            info.size = len(body)
            info.mode = 0o755 if body.startswith(b"#!") else 0o644
            tar.addfile(info, io.BytesIO(body))
    packed.seek(0)
    canonical = bytearray()
    archive.canonical(packed, archive.Limits(100 << 20, 10_000), canonical.extend)
    return registry.put_blob(repository, bytes(canonical))
