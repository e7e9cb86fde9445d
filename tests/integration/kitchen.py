"""Builds of made-up sources on a real engine and registry, without builder images."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paas.builder.pipeline import Tools, build
from paas.core.builds import BuildResult, BuildSettings, BuildSpec, Limits
from paas.core.names import AppId, BuildId, ProjectId
from paas.drivers.docker.client import Engine
from paas.drivers.docker.images import Images, remove_everything
from paas.drivers.docker.imports import DockerImports, Wish
from paas.drivers.docker.networks import Networks
from paas.drivers.docker.sandbox import DockerSandboxes
from paas.oci import archive
from paas.oci.digests import Digest
from paas.oci.registry import Registry
from paas.ports import ORDINARY, Opening, Sandbox, SandboxSettings
from tests.integration.parts import CA_BUNDLE, TINY, open_engine, require, running_registry, store

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIMITS = Limits(seconds=60, memory=256 << 20, cpus=1, processes=100, disk=512 << 20)


@dataclass
class Counted:
    """The engine's sandboxes; how many were opened."""

    inner: DockerSandboxes
    opened: int = 0

    def open(self, image: str, limits: Limits, *, build_id: str, opening: Opening = ORDINARY) -> Sandbox:
        self.opened += 1
        return self.inner.open(image, limits, build_id=build_id, opening=opening)

    def sweep(self, running: Callable[[], frozenset[str]]) -> int:
        return self.inner.sweep(running)


@dataclass
class Kitchen:
    """One project on one registry."""

    engine: Engine
    installation: str
    host: str
    registry: Registry
    sandboxes: Counted
    imports: DockerImports
    app_id: str = field(default_factory=lambda: f"a{secrets.token_hex(4)}")
    project_id: str = field(default_factory=lambda: f"p{secrets.token_hex(4)}")
    lines: list[str] = field(default_factory=list)
    limits: Limits = LIMITS
    check: Callable[[], None] = lambda: None
    count: int = 0

    def build(
        self, files: Mapping[str, str | bytes], *, tools: Mapping[str, Any] | None = None, **spec: Any
    ) -> BuildResult:
        """Build files; arguments that `BuildSettings` has go there, others to `BuildSpec`."""
        self.lines.clear()
        self.sandboxes.opened = 0
        self.count += 1
        known = BuildSettings.__dataclass_fields__
        settings = BuildSettings(**{name: spec.pop(name) for name in list(spec) if name in known})
        made = BuildSpec(
            id=BuildId(f"{self.app_id}b{self.count}"),
            number=self.count,
            app_id=AppId(self.app_id),
            project_id=ProjectId(self.project_id),
            app="shop",
            source_digest=store(self.registry, f"apps/{self.app_id}", files),
            commit="",
            ref="main",
            settings=settings,
        )
        return build(replace(made, **spec), replace(self.tools(), **(tools or {})), self.lines.append)

    def tools(self) -> Tools:
        return Tools(
            registry=self.registry,
            registry_host=self.host,
            sandboxes=self.sandboxes,
            catalog={},
            limits=self.limits,
            source_limits=archive.Limits(max_bytes=100 << 20, max_entries=10_000),
            check=self.check,
            dependency_max_age=86400,
            now=NOW,
            import_image=self.bring,
        )

    def bring(self, reference: str) -> tuple[str, Digest]:
        own = f"projects/{self.project_id}/"
        wish = Wish(reference, f"{own}images", (own, "builders/", f"apps/{self.app_id}"), 60, 1 << 30)
        return self.imports.bring(wish, self.lines.append, self.check)

    def run(self, image: str, *command: str, user: str = "1001:0") -> str:
        """What a command of the image prints."""
        reference = f"{self.host}/apps/{self.app_id}@{image}"
        argv = ["docker", "run", "--rm", "--network=none", f"--user={user}", "--cap-drop=ALL", reference, *command]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def left(self) -> list[str]:
        """Containers of this installation that are still there, some seconds later."""
        listed = ["docker", "ps", "-aq", "--filter", f"label=io.paas.installation={self.installation}"]
        ends = time.monotonic() + 15
        while True:
            found = subprocess.run(listed, capture_output=True, text=True, timeout=60, check=True).stdout.split()
            if not found or time.monotonic() > ends:
                return found
            time.sleep(0.2)


@contextmanager
def kitchen(folder: Path, *, allowed: tuple[str, ...] = ()) -> Iterator[Kitchen]:
    """A registry with `builders/base:1` (busybox and Python), and all that builds need."""
    engine = open_engine()
    installation = f"kt{secrets.token_hex(3)}"
    images = Images(engine, installation=installation)
    require(images.exists(TINY), TINY)
    with running_registry(folder / "registry") as host, Registry(f"http://{host}") as registry:
        digest = images.push(TINY, registry, "builders/base")
        registry.push_image("builders/base", registry.image("builders/base", digest), tag="1")
        sandboxes = DockerSandboxes(
            engine,
            installation=installation,
            settings=SandboxSettings(ca_bundle=CA_BUNDLE.read_bytes() if CA_BUNDLE.exists() else b""),
            registry_auth=lambda repository: {},
            networks=Networks(engine, installation, folder / "locks"),
        )
        imports = DockerImports(engine, registry, host=host, auth=lambda repository: {}, allowed=allowed)
        try:
            yield Kitchen(engine, installation, host, registry, Counted(sandboxes), imports)
        finally:
            remove_everything(engine, installation)
