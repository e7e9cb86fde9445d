"""Real engine, real registry, the builders' real images: what a push costs, and that it always gives the same image."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paas.builder import catalog
from paas.builder.pipeline import Tools, build
from paas.core.builds import BuildResult, BuildSettings, BuildSpec, Limits, Previous
from paas.core.names import AppId, BuildId, ProjectId
from paas.core.recipes import Recipe
from paas.errors import BuildFailed, LostLease, NotFound, Unavailable
from paas.oci import archive
from paas.oci.registry import Registry
from paas.ports import ORDINARY, Opening, Sandbox, Sandboxes, SandboxSettings

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
DOCKER = os.environ.get("PAAS_DOCKER_HOST", "unix:///var/run/docker.sock")
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIMITS = Limits(seconds=300, memory=2 << 30, cpus=2, processes=512)
FLASK = {
    "app.py": "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return 'one'\n",
    "requirements.txt": "flask==3.1.2\ngunicorn==23.0.0\n",
    "Procfile": "web: gunicorn app:app\nworker: python worker.py\nrelease: python -c 'import flask'\n",
    "app.json": json.dumps({"healthchecks": {"web": [{"path": "/"}]}}),
}


def require(condition: object, what: str) -> None:
    if not condition:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is missing")


@dataclass
class CountedSandboxes:
    """The engine's own sandboxes; remembers which images they were opened on."""

    inner: Sandboxes
    opened: list[str] = field(default_factory=list)

    def open(self, image: str, limits: Limits, *, build_id: str, opening: Opening = ORDINARY) -> Sandbox:
        self.opened.append(image)
        return self.inner.open(image, limits, build_id=build_id, opening=opening)

    def sweep(self, running: Callable[[], frozenset[str]]) -> int:
        return self.inner.sweep(running)


@pytest.fixture(scope="module")
def engine():
    from paas.drivers.docker.client import Engine

    opened = Engine(DOCKER)
    try:
        with opened.door("greet") as api:
            api.ping()
    except Unavailable:
        require(False, "a Docker Engine")
    return opened


@pytest.fixture(scope="module")
def registry_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("docker-registry")
    require(program, "docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": host},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(program), "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    with Registry(f"http://{host}", patience=0) as starting:
        wait_for(starting)
    yield host
    process.kill()
    process.wait(10)
    listed = ["docker", "images", "--digests", "--format", "{{.Repository}}@{{.Digest}}"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True, timeout=60).stdout.split()
    ours = [name for name in names if name.startswith(f"{host}/")]
    if ours:
        subprocess.run(["docker", "rmi", *ours], check=False, capture_output=True, timeout=120)


def wait_for(registry: Registry) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            return registry.ping()
        except Unavailable:
            time.sleep(0.05)
    raise AssertionError("the registry did not start")


@pytest.fixture(scope="module")
def registry(
    registry_host: str, engine, builder_recipes: list[Recipe], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    from paas.drivers.docker import builders

    with Registry(f"http://{registry_host}") as opened:
        note = tmp_path_factory.mktemp("pushed") / "images.json"
        builders.push(engine, opened, builder_recipes, note, lambda line: None)
        yield opened


@pytest.fixture(scope="module")
def sandboxes(engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxes]:
    from paas.drivers.docker.images import remove_everything
    from paas.drivers.docker.networks import Networks
    from paas.drivers.docker.sandbox import DockerSandboxes

    installation = f"bt{secrets.token_hex(3)}"
    yield DockerSandboxes(
        engine,
        installation=installation,
        settings=SandboxSettings(ca_bundle=CA_BUNDLE.read_bytes() if CA_BUNDLE.exists() else b""),
        registry_auth=lambda repository: {},
        networks=Networks(engine, installation, tmp_path_factory.mktemp("locks")),
    )
    remove_everything(engine, installation)


@dataclass
class Bench:
    """One app's builds."""

    registry: Registry
    host: str
    sandboxes: CountedSandboxes
    app_id: str
    project_id: str
    now: datetime = NOW
    lines: list[str] = field(default_factory=list)
    check: Callable[[], None] = lambda: None
    count: int = 0

    def build(self, files: Mapping[str, str], **changes: object) -> BuildResult:
        self.lines.clear()
        self.sandboxes.opened.clear()
        self.count += 1
        spec = BuildSpec(
            id=BuildId(f"{self.app_id}b{self.count}"),
            number=self.count,
            app_id=AppId(self.app_id),
            project_id=ProjectId(self.project_id),
            app="shop",
            source_digest=self.store(files),
            commit=secrets.token_hex(20),
            ref="main",
            author="Ada",
            message="change",
        )
        return build(replace(spec, **changes), self.tools(), self.lines.append)

    def tools(self) -> Tools:
        return Tools(
            registry=self.registry,
            registry_host=self.host,
            sandboxes=self.sandboxes,
            catalog=catalog.load(ROOT / "builders"),
            limits=LIMITS,
            source_limits=archive.Limits(max_bytes=100 << 20, max_entries=10_000),
            check=self.check,
            dependency_max_age=86400,
            now=self.now,
        )

    def store(self, files: Mapping[str, str]) -> str:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                info.mode = 0o755 if text.startswith("#!") else 0o644
                tar.addfile(info, io.BytesIO(text.encode()))
        packed.seek(0)
        canonical = bytearray()
        archive.canonical(packed, archive.Limits(100 << 20, 10_000), canonical.extend)
        return self.registry.put_blob(f"apps/{self.app_id}", bytes(canonical))

    def run(self, image: str, *command: str) -> str:
        reference = f"{self.host}/apps/{self.app_id}@{image}"
        subprocess.run(["docker", "pull", "-q", reference], check=True, capture_output=True, timeout=120)
        try:
            argv = ["docker", "run", "--rm", "--network=none", reference, *command]
            ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
            assert ended.returncode == 0, ended.stderr
            return ended.stdout
        finally:
            subprocess.run(["docker", "rmi", reference], check=True, capture_output=True, timeout=120)


def previous(result: BuildResult) -> Previous:
    """The build as the next one knows it."""
    return Previous(
        number=1,
        image=result.image,
        source_digest="sha256:" + "0" * 64,
        strategy=result.strategy,
        builder=result.builder,
        ledger=result.ledger,
        facts=result.facts,
    )


@pytest.fixture
def bench(registry: Registry, registry_host: str, sandboxes: Sandboxes) -> Bench:
    name = secrets.token_hex(4)
    return Bench(registry, registry_host, CountedSandboxes(sandboxes), f"a{name}", f"p{name}")


def names(result: BuildResult) -> list[tuple[str, str]]:
    return [(note.name, note.state) for note in result.ledger]


def test_one_line_change_runs_nothing_and_pushes_the_source_layer_only(bench: Bench) -> None:
    first = bench.build(FLASK)
    assert names(first) == [("dependencies", "new"), ("source", "new")]
    assert bench.lines[0] == "-----> Python app detected (requirements.txt)"
    assert "Flask==3.1.2" in first.facts["packages"] or "flask==3.1.2" in first.facts["packages"]

    second = bench.build(FLASK | {"app.py": FLASK["app.py"].replace("one", "two")})
    assert bench.sandboxes.opened == []
    assert names(second) == [("dependencies", "reused"), ("source", "new")]
    assert second.ledger[0].digest == first.ledger[0].digest
    assert second.ledger[0].pushed == 0
    assert second.ledger[1].pushed < 2000
    assert second.image != first.image
    assert "'two'" in bench.run(second.image, "python", "-c", "import app, inspect; print(inspect.getsource(app))")
    owners = bench.run(second.image, "stat", "-c", "%u:%g %a %n", ".", "app.py", "..", "../lib", "/opt", "/")
    assert owners.splitlines() == [
        "1001:0 775 .",
        "1001:0 664 app.py",
        "1001:0 775 ..",
        "1001:0 775 ../lib",
        "0:0 755 /opt",
        "0:0 755 /",
    ]


def test_same_source_gives_the_same_digest_whoever_builds_it(bench: Bench, registry: Registry) -> None:
    first = bench.build(FLASK)
    again = bench.build(FLASK, commit="0" * 40, author="Bob", message="empty commit", ref="other")
    assert again.image == first.image
    assert names(again) == [("dependencies", "reused"), ("source", "reused")]
    other = replace(bench, app_id=f"{bench.app_id}x", project_id=f"{bench.project_id}x")
    elsewhere = other.build(FLASK)
    assert names(elsewhere) == [("dependencies", "new"), ("source", "new")]
    assert elsewhere.image == first.image


def test_processes_health_and_release_phase_come_from_the_source(bench: Bench) -> None:
    result = bench.build(FLASK)
    assert result.processes == {
        "web": ("/bin/sh", "-c", "exec gunicorn app:app"),
        "worker": ("/bin/sh", "-c", "exec python worker.py"),
    }
    assert result.release_command == ("/bin/sh", "-c", "exec python -c 'import flask'")
    assert result.health["web"].path == "/"
    assert list(result.stages) == ["fetch", "detect", "dependencies", "assemble", "export"]


def test_dependencies_that_need_the_source_are_split_off_what_assemble_makes(bench: Bench) -> None:
    source = FLASK | {
        "requirements.txt": "flask==3.1.2\ngunicorn==23.0.0\n./lib\n",
        "lib/setup.py": "from setuptools import setup\nsetup(name='inner', version='1', py_modules=['inner'])\n",
        "lib/inner.py": "X = 42\n",
    }
    result = bench.build(source)
    assert len(bench.sandboxes.opened) == 1
    assert names(result) == [("dependencies", "new"), ("source", "new")]
    assert any("needs the source: ./lib" in line for line in bench.lines)
    assert bench.run(result.image, "python", "-c", "import inner, app; print(inner.X)").strip() == "42"
    assert "inner==1" in result.facts["packages"]
    changed = bench.build(source | {"app.py": FLASK["app.py"].replace("one", "two")})
    assert names(changed) == [("dependencies", "reused"), ("source", "new")]
    assert bench.build(source).image == result.image


def test_own_package_is_installed_on_top_of_kept_dependencies(bench: Bench) -> None:
    source = {
        "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\ndependencies = ["itsdangerous==2.2.0"]\n'
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[tool.setuptools]\npy-modules = ["shop"]\n',
        "shop.py": "X = 1\n",
    }
    bench.build(source)
    result = bench.build(source | {"shop.py": "X = 2\n"})
    assert result.ledger[0].state == "reused"
    assert bench.sandboxes.opened == [
        f"{bench.host}/projects/{bench.project_id}/dependencies@{bench.sandboxes.opened[0].partition('@')[2]}"
    ]
    command = ("python", "-c", "import os; os.chdir('/'); import shop, itsdangerous; print(shop.X)")
    assert bench.run(result.image, *command).strip() == "2"
    assert bench.build(source | {"shop.py": "X = 2\n"}).image == result.image


def test_unpinned_dependencies_are_told_with_their_date_and_end(bench: Bench) -> None:
    source = FLASK | {"requirements.txt": "itsdangerous\n"}
    bench.build(source)
    bench.now = NOW + timedelta(hours=2)
    assert names(bench.build(source))[0] == ("dependencies", "reused")
    assert any("Using dependencies resolved on 2026-11-23" in line for line in bench.lines)
    bench.now = NOW + timedelta(days=2)
    note = bench.build(source).ledger[0]
    assert len(bench.sandboxes.opened) == 1
    assert note.reason.startswith("versions chosen anew")


def test_node_source_is_copied_beside_its_kept_modules(bench: Bench) -> None:
    source = {
        "package.json": json.dumps({"name": "shop", "dependencies": {"ms": "2.1.3"}, "scripts": {"start": "node ."}}),
        "index.js": "console.log(require('ms')('1d'))\n",
    }
    bench.build(source)
    result = bench.build(source | {"index.js": "console.log(require('ms')('2d'))\n"})
    assert bench.sandboxes.opened == []
    assert names(result) == [("dependencies", "reused"), ("source", "new")]
    assert bench.run(result.image, "node", "index.js").strip() == "172800000"


def test_own_assemble_and_environment_and_ignored_files(bench: Bench) -> None:
    source = FLASK | {
        ".s2i/bin/assemble": "#!/bin/sh\necho own $COLOUR\n/usr/libexec/s2i/assemble && touch /opt/app-root/src/made\n",
        ".s2i/environment": "COLOUR=blue\n",
        ".s2iignore": "secret.txt\n",
        "secret.txt": "x",
    }
    result = bench.build(source)
    assert "       own blue" in bench.lines
    assert bench.run(result.image, "sh", "-c", "echo $COLOUR; ls made; test ! -e secret.txt").split() == [
        "blue",
        "made",
    ]


def test_missing_package_is_explained(bench: Bench) -> None:
    with pytest.raises(BuildFailed) as failed:
        bench.build(FLASK | {"requirements.txt": "flask==99.99\n"})
    assert (failed.value.reason, failed.value.stage) == ("AssembleFailed", "dependencies")
    assert failed.value.message == "a dependency does not exist in the wanted version"
    assert any("99.99" in line for line in failed.value.facts["last_lines"])


def test_unreachable_index_has_its_own_reason(bench: Bench) -> None:
    source = FLASK | {".s2i/environment": "PIP_INDEX_URL=http://127.0.0.1:9/simple\nUV_HTTP_RETRIES=0\n"}
    with pytest.raises(BuildFailed) as failed:
        bench.build(source)
    assert failed.value.reason == "DependencyIndexUnreachable"


def test_build_over_its_time_is_stopped(bench: Bench) -> None:
    source = FLASK | {".s2i/bin/assemble": "#!/bin/sh\necho waiting\nexec sleep 60\n"}
    tools = replace(bench.tools(), limits=replace(LIMITS, seconds=3))
    bench.tools = lambda: tools  # type: ignore[method-assign]
    with pytest.raises(BuildFailed) as failed:
        bench.build(source)
    assert (failed.value.reason, failed.value.facts["last_lines"]) == ("Timeout", ["waiting"])


def test_lost_lease_stops_before_the_image_is_visible(bench: Bench, registry: Registry) -> None:
    changed = FLASK | {"app.py": "x = 1\n"}
    bench.build(FLASK)
    other = replace(bench, app_id=f"{bench.app_id}x")
    checks: list[None] = []
    other.check = lambda: checks.append(None)
    digest = other.build(changed).image
    left = len(checks)

    def check() -> None:
        nonlocal left
        left -= 1
        if not left:
            raise LostLease()

    bench.check = check
    with pytest.raises(LostLease):
        bench.build(changed)
    with pytest.raises(NotFound):
        registry.image(f"apps/{bench.app_id}", digest)


def test_static_site_needs_no_sandbox_at_all(bench: Bench) -> None:
    result = bench.build({"index.html": "<h1>hello</h1>", "css/site.css": "h1 { color: blue }"})
    assert bench.sandboxes.opened == []
    assert names(result) == [("source", "new")]
    assert result.processes == {"web": ("/usr/libexec/s2i/run",)}


def test_builder_as_a_stock_image_keeps_what_its_installer_made(bench: Bench, registry: Registry) -> None:
    digest = registry.digest_of("builders/python", "3.13")
    tools = replace(bench.tools(), import_image=lambda reference: ("builders/python", digest))
    bench.tools = lambda: tools  # type: ignore[method-assign]
    builder = f"{bench.host}/builders/python:3.13"
    source = FLASK | {"requirements.txt": "itsdangerous==2.2.0\n"}
    first = bench.build(source, builder=builder)
    second = bench.build(source | {"app.py": "import itsdangerous\n"}, builder=builder)
    assert names(first) == [("site-packages", "new"), ("source", "new")]
    assert names(second) == [("site-packages", "reused"), ("source", "new")]
    assert bench.run(second.image, "python", "-c", "import app; print(app.itsdangerous.__name__)") == "itsdangerous\n"
    assert bench.build(source, builder=builder).image == first.image


def test_no_cache_runs_the_installer_again_and_makes_the_same_image(bench: Bench) -> None:
    source = FLASK | {"requirements.txt": "itsdangerous==2.2.0\n"}
    first = bench.build(source)
    again = bench.build(source, no_cache=True)
    assert len(bench.sandboxes.opened) == 1
    assert again.image == first.image


def test_owners_environment_is_in_build_and_image(bench: Bench) -> None:
    source = FLASK | {".s2i/environment": "COLOUR=blue\nSIZE=3\n", "requirements.txt": "itsdangerous==2.2.0\n"}
    result = bench.build(source, settings=BuildSettings(environment={"COLOUR": "green"}))
    assert bench.run(result.image, "sh", "-c", "echo $COLOUR $SIZE") == "green 3\n"
