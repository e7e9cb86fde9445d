"""Every language's builder: its test app and its example are built by the pipeline, answer HTTP and end when told to.

No package registry but PyPI and npm can be counted on here, so what these sources depend on lies in them, in the form
that each ecosystem has for it; or is Debian's. A builder's images are made by its first build, and stay on the engine.
"""

from __future__ import annotations

import http.client
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paas.builder import catalog, versions
from paas.builder.catalog import Builder
from paas.builder.job import Tools
from paas.builder.pipeline import build
from paas.core.builds import BuildResult, BuildSpec, Limits
from paas.core.names import AppId, BuildId, ProjectId
from paas.drivers.docker import builders
from paas.drivers.docker.client import Engine
from paas.drivers.docker.images import remove_everything
from paas.drivers.docker.networks import Networks
from paas.drivers.docker.sandbox import DockerSandboxes
from paas.errors import BuildFailed
from paas.oci import archive
from paas.oci.registry import Registry
from paas.ports import Sandboxes, SandboxSettings, Say
from tests.conftest import made_images
from tests.integration import parts, vendored

ROOT = Path(__file__).parents[2]
LANGUAGES = ("go", "java", "perl", "php", "ruby", "rust")
COMPILED = ("go", "java", "rust")
CATALOG = catalog.load(ROOT / "builders")
OTHERS = [(name, v.name) for name in LANGUAGES for v in CATALOG[name].all_versions() if v.name != CATALOG[name].version]
"""The versions that are not the default: making their images takes ten minutes, so only the nightly run does."""
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

pytestmark = pytest.mark.timeout(900)  # the first run makes images


@dataclass
class Bench:
    """Builds sources, each as an app of a project of its own unless told otherwise."""

    registry: Registry
    host: str
    sandboxes: Sandboxes
    make_builder: Callable[[Builder, Say], None]
    lines: list[str] = field(default_factory=list)
    repository: str = ""

    def build(self, files: Mapping[str, str | bytes], builder: str = "", app: str = "") -> BuildResult:
        self.lines.clear()
        name = app or secrets.token_hex(4)
        self.repository = f"apps/a{name}"
        spec = BuildSpec(
            id=BuildId(f"b{secrets.token_hex(4)}"),
            number=1,
            app_id=AppId(f"a{name}"),
            project_id=ProjectId(f"p{name}"),
            app="shop",
            source_digest=parts.store(self.registry, self.repository, files),
            commit=secrets.token_hex(20),
            ref="main",
            builder=builder,
        )
        return build(spec, self.tools(), self.lines.append)

    def tools(self) -> Tools:
        return Tools(
            registry=self.registry,
            registry_host=self.host,
            sandboxes=self.sandboxes,
            catalog=CATALOG,
            limits=Limits(seconds=300, memory=2 << 30, cpus=2, processes=512),
            source_limits=archive.Limits(max_bytes=200 << 20, max_entries=10_000),
            check=lambda: None,
            dependency_max_age=86400,
            now=datetime(2026, 11, 23, 12, tzinfo=UTC),
            make_builder=self.make_builder,
        )

    @contextmanager
    def running(self, result: BuildResult) -> Iterator[Running]:
        """The web process, as a user whom the image has never heard of, on a port that is not its default."""
        reference = f"{self.host}/{self.repository}@{result.image}"
        docker("pull", "-q", reference)
        options = ("--user=54321:0", "--env=PORT=5000", "--publish=127.0.0.1::5000", "--cap-drop=ALL")
        container = docker("run", "--detach", *options, reference, *result.processes["web"])
        try:
            yield Running(container, int(docker("port", container, "5000").rpartition(":")[2]))
        finally:
            docker("rm", "--force", container)
            docker("rmi", reference)


@dataclass(frozen=True)
class Running:
    """A container that serves."""

    container: str
    port: int

    def get(self, path: str = "/") -> tuple[int, str]:
        """Status and body, as soon as it answers."""
        deadline = time.monotonic() + 30
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < deadline, docker("logs", self.container)
                time.sleep(0.1)
            finally:
                connection.close()

    def stop(self) -> int:
        """Its exit code after SIGTERM (or what its image asks for); 137 if it had to be killed."""
        docker("stop", "--time=10", self.container)
        return int(docker("inspect", "--format={{.State.ExitCode}}", self.container))


def docker(*argv: str) -> str:
    done = subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def source(folder: Path) -> dict[str, str | bytes]:
    """The files of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return parts.open_engine()


@pytest.fixture(scope="module")
def bench(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("languages")
    installation = f"lt{secrets.token_hex(3)}"
    bundle = parts.CA_BUNDLE.read_bytes() if parts.CA_BUNDLE.exists() else b""
    networks = Networks(engine, installation, folder)
    with parts.running_registry(folder / "registry") as host, Registry(f"http://{host}") as registry:
        sandboxes = DockerSandboxes(
            engine,
            installation=installation,
            settings=SandboxSettings(ca_bundle=bundle),
            registry_auth=lambda repository: {},
            networks=networks,
        )

        def make_builder(builder: Builder, say: Say) -> None:
            recipes = made_images(f"{builder.name}:{builder.version}")
            builders.push(engine, registry, recipes, folder / "pushed.json", say)

        yield Bench(registry, host, sandboxes, make_builder)
        remove_everything(engine, installation)


def build_image(language: str) -> str:
    """The engine's name of the default version's image."""
    return next(recipe.tag for recipe in made_images(language) if recipe.repository == f"builders/{language}")


def answers(bench: Bench, result: BuildResult, wanted: str) -> str:
    """Held to it; the files and compilers that the image has, one a line."""
    with bench.running(result) as running:
        status, body = running.get()
        assert (status, body) == (200, body)
        assert wanted in body
        there = docker(
            "exec", running.container, "sh", "-c", "ls -R .; command -v go javac mvn cargo rustc gcc cc || :"
        )
        assert running.stop() in (0, 128 + 15)
        return there


@pytest.mark.parametrize("language", LANGUAGES)
def test_test_app_is_detected_built_and_answers(bench: Bench, language: str) -> None:
    result = bench.build(source(ROOT / "builders" / language / "test"))
    assert result.builder == f"{language}:{CATALOG[language].version}"
    answers(bench, result, "Hello from paas\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_example_answers_and_gives_the_same_image_twice(bench: Bench, language: str) -> None:
    files = source(ROOT / "examples" / language)
    first = bench.build(files)
    again = bench.build(files)
    assert again.image == first.image
    there = answers(bench, again, "Hello from").splitlines()
    if language in COMPILED:
        assert not [line for line in there if line.endswith((".go", ".rs", ".java")) or line.startswith("/")]


@pytest.mark.skipif(not NIGHTLY, reason="the nightly run makes these images")
@pytest.mark.parametrize(("language", "version"), OTHERS, ids=[f"{name}:{version}" for name, version in OTHERS])
def test_other_versions_build_and_answer(bench: Bench, language: str, version: str) -> None:
    files = source(ROOT / "builders" / language / "test")
    result = bench.build(files, f"{language}:{version}")
    assert result.builder == f"{language}:{version}"
    answers(bench, result, "Hello from paas\n")
    assert bench.build(files, f"{language}:{version}").image == result.image


@pytest.mark.parametrize("language", vendored.LOCKED)
def test_change_of_source_keeps_locked_dependencies_and_runs_nothing(bench: Bench, language: str) -> None:
    files, app = vendored.LOCKED[language], secrets.token_hex(4)
    bench.build(files, app=app)
    result = bench.build(files | {"more.txt": "more"}, app=app)
    assert [(note.name, note.state) for note in result.ledger] == [("dependencies", "reused"), ("source", "new")]
    assert not [line for line in bench.lines if "nstalling" in line or "assemble" in line], bench.lines


def test_gems_of_vendor_cache_are_compiled_to_the_same_bytes(bench: Bench) -> None:
    files = vendored.gem_cache(build_image("ruby"))
    result = bench.build(files)
    assert [note.name for note in result.ledger] == ["dependencies", "source"]
    assert any("Installing gems from vendor/cache" in line for line in bench.lines)
    assert bench.build(files).image == result.image
    answers(bench, result, "2 + 3 = 5")


def test_modules_of_a_carton_bundle_are_compiled_to_the_same_bytes(bench: Bench) -> None:
    files = vendored.carton_bundle()
    result = bench.build(files)
    assert [note.name for note in result.ledger] == ["dependencies", "source"]
    assert bench.build(files).image == result.image
    answers(bench, result, "2 + 3 = 5")


def test_maven_builds_from_a_committed_repository_that_stays_out_of_the_image(bench: Bench) -> None:
    files = vendored.maven_repository(build_image("java"))
    result = bench.build(files)
    assert any("Using the repository in .m2" in line for line in bench.lines)
    answers(bench, result, "Hello from Maven")
    assert sum(note.size for note in result.ledger) < 100_000  # the repository of 36 MB is not in it


def test_php_serves_files_and_the_front_controller_but_no_secrets(bench: Bench) -> None:
    page = "<?php echo $_SERVER['REQUEST_URI'], ' ', getenv('COLOUR'), ' ', $_SERVER['HTTPS'] ?? 'plain';"
    files = {
        "index.php": page,
        "a.css": "a {}",
        ".env": "SECRET=1",
        "composer.json": "{}",
        "inner/b.php": "<?php echo 2;",
    }
    result = bench.build(files | {".s2i/environment": "COLOUR=blue\n"})
    with bench.running(result) as running:
        assert running.get("/any/path?x=1") == (200, "/any/path?x=1 blue plain")
        assert running.get("/a.css") == (200, "a {}")
        assert running.get("/inner/b.php") == (200, "2")
        for hidden in ("/.env", "/composer.json", "/vendor/autoload.php", "/.s2i/environment"):
            assert running.get(hidden)[0] == 404
        assert running.stop() == 0


@pytest.mark.parametrize("language", vendored.UNREACHABLE)
def test_unreachable_package_index_is_told_with_the_way_out(bench: Bench, language: str) -> None:
    files, way_out = vendored.UNREACHABLE[language]
    with pytest.raises(BuildFailed):
        bench.build(files)
    assert any(way_out in line for line in bench.lines), bench.lines


def test_versions_are_chosen_by_the_languages_own_files() -> None:
    chosen = {
        ("ruby", ".ruby-version", "3.1.6\n"): "3.1",
        ("ruby", "Gemfile", 'source "x"\nruby "~> 3.3.0"\n'): "3.3",
        ("php", "composer.json", '{"require": {"php": "^8.2"}}'): "8.4",
        ("php", "composer.json", '{"require": {"php": "8.2.*"}}'): "8.2",
        ("go", "go.mod", "module a\n\ngo 1.22\n"): "1.24",
        ("java", "pom.xml", "<maven.compiler.release>11</maven.compiler.release>"): "21",
        ("java", "system.properties", "java.runtime.version=17\n"): "17",
        ("perl", ".perl-version", "5.36.0\n"): "5.36",
        ("rust", "rust-toolchain.toml", '[toolchain]\nchannel = "stable"\n'): "1.85",
        ("rust", "Cargo.toml", '[package]\nrust-version = "1.90"\n'): "1.96",
    }
    found = {case: versions.choose(CATALOG[case[0]], {case[1]: case[2].encode()}).builder.version for case in chosen}
    assert found == chosen
