"""Images from elsewhere, on a real engine: a second registry stands for the internet's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from paas.drivers.docker.client import Engine
from paas.drivers.docker.images import Images
from paas.drivers.docker.imports import DockerImports, Wish
from paas.errors import BuildFailed, LostLease, PaasError
from paas.oci.registry import Registry
from tests.integration.parts import TINY, open_engine, require, running_registry

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def engine() -> Engine:
    return open_engine()


@pytest.fixture(scope="module")
def elsewhere(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry with one image, `tiny:2`."""
    images = Images(engine, installation="import-tests")
    require(images.exists(TINY), TINY)
    with running_registry(tmp_path_factory.mktemp("elsewhere")) as host:
        with Registry(f"http://{host}") as there:
            images.push(TINY, there, "tiny")
        yield host


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_registry(tmp_path_factory.mktemp("ours")) as host:
        yield host


@pytest.fixture
def imports(engine: Engine, ours: str, elsewhere: str) -> Iterator[DockerImports]:
    with Registry(f"http://{ours}") as registry:
        yield DockerImports(engine, registry, host=ours, auth=lambda name: {}, allowed=[elsewhere])


def wish(reference: str) -> Wish:
    return Wish(reference, "projects/p1/images", ("projects/p1/", "builders/", "apps/a1"), 60, 1 << 30)


def bring(imports: DockerImports, wanted: Wish) -> tuple[str, str]:
    return imports.bring(wanted, lambda line: None, lambda: None)


def names(host: str) -> list[str]:
    listed = ["docker", "images", "--digests", "--format", "{{.Repository}}:{{.Tag}}@{{.Digest}}"]
    lines = subprocess.run(listed, check=True, capture_output=True, text=True, timeout=60).stdout.split()
    return [line for line in lines if line.startswith(f"{host}/")]


def test_image_is_brought_once_and_runs_from_our_registry(imports: DockerImports, ours: str, elsewhere: str) -> None:
    repository, digest = bring(imports, wish(f"{elsewhere}/tiny:2"))
    assert repository == "projects/p1/images"
    with Registry(f"http://{ours}") as registry:
        assert registry.image(repository, digest).layers
    assert names(elsewhere) == [], "the engine keeps it under our registry's name only"
    assert [name.partition("@")[2] for name in names(ours)] == [digest]
    assert bring(imports, wish(f"{elsewhere}/tiny:2")) == (repository, digest)
    assert bring(imports, wish(f"{elsewhere}/tiny@{digest}")) == (repository, digest)
    said = subprocess.run(
        ["docker", "run", "--rm", "--network=none", f"{ours}/{repository}@{digest}", "python3", "-c", "print(6*7)"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert said.stdout == "42\n"


def test_own_images_are_named_not_copied_and_only_by_those_who_may(imports: DockerImports, ours: str) -> None:
    with Registry(f"http://{ours}") as registry:
        made = registry.put_blob("apps/a2", b"x")
        for repository in ("builders/python", "apps/a2"):
            with pytest.raises(BuildFailed) as failed:
                bring(imports, wish(f"{ours}/{repository}:1"))
            assert failed.value.reason == "PullImageFailed"
    for foreign in (f"{ours}/apps/a2@{made}", f"{ours}/projects/p11/images@{made}", f"{ours}/apps/a11@{made}"):
        with pytest.raises(BuildFailed, match="there is no image"):
            bring(imports, wish(foreign))
    assert bring(imports, wish(f"{ours}/apps/a1@{made}")) == ("apps/a1", made)


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("nginx:latest", "RegistryNotAllowed"),
        ("localhost:5000/app", "RegistryNotAllowed"),
        ("169.254.169.254/app", "RegistryNotAllowed"),
        ("127.0.0.1/app", "RegistryNotAllowed"),
        ("a b", "InvalidImageReference"),
        ("ELSEWHERE/tiny:9", "PullImageFailed"),
        ("ELSEWHERE/none", "PullImageFailed"),
    ],
)
def test_what_may_not_or_cannot_be_had_is_named(
    imports: DockerImports, elsewhere: str, reference: str, reason: str
) -> None:
    with pytest.raises(BuildFailed) as failed:
        bring(imports, wish(reference.replace("ELSEWHERE", elsewhere)))
    assert (failed.value.reason, failed.value.stage) == (reason, "fetch")
    assert failed.value.hint


def test_registry_that_does_not_answer_fails_the_build(engine: Engine, ours: str) -> None:
    with Registry(f"http://{ours}") as registry:
        lonely = DockerImports(engine, registry, host=ours, auth=lambda name: {}, allowed=["127.0.0.1:9"])
        with pytest.raises(BuildFailed) as failed:
            bring(lonely, wish("127.0.0.1:9/app:1"))
    assert failed.value.reason == "PullImageFailed"


def test_cancelled_import_leaves_nothing(
    engine: Engine, elsewhere: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running_registry(tmp_path_factory.mktemp("third")) as host, Registry(f"http://{host}") as registry:
        fresh = DockerImports(engine, registry, host=host, auth=lambda name: {}, allowed=[elsewhere])

        def cancelled() -> None:
            raise LostLease()

        with pytest.raises(LostLease):
            fresh.bring(wish(f"{elsewhere}/tiny:2"), lambda line: None, cancelled)
        with pytest.raises(PaasError):
            bring(fresh, replace(wish(f"{elsewhere}/tiny:2"), repository="Not/A/Repository"))
    assert names(elsewhere) == []
