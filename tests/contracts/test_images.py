"""Base and builder images on a real engine, pushed to a real registry."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from paas.drivers.docker.images import Images, remove_everything
from paas.errors import BuildFailed
from paas.oci.registry import Registry
from tests.contracts.conftest import IMAGE, free_port, is_open, require, wait_for


@pytest.fixture
def registry(tmp_path):
    require(shutil.which("docker-registry"), "docker-registry")
    port = free_port()
    config = tmp_path / "registry.yml"
    config.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp_path / 'registry'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
        "log: {level: error}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: is_open(port))
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def context(folder, *lines):
    folder.mkdir()
    (folder / "Dockerfile").write_text("\n".join(lines))
    (folder / "hello.sh").write_text("echo hello")
    (folder / "hello.sh").chmod(0o700)
    return folder


def test_build_tells_its_lines_uses_the_bundle_and_is_cached(engine, image, installation, tmp_path):
    images = Images(engine, installation=installation)
    tag = f"paas/{installation}:1"
    folder = context(
        tmp_path / "c",
        f"FROM {IMAGE}",
        "ARG GREETING=none",
        "COPY hello.sh /hello.sh",
        "COPY ca-bundle.crt /ca.crt",
        "RUN echo $GREETING && cat /ca.crt",
    )
    told = []
    images.build(folder, tag, {"GREETING": "salve"}, told.append, ca_bundle=b"THE BUNDLE\n")
    assert "salve" in told
    assert "THE BUNDLE" in told
    assert images.exists(tag)
    again = []
    images.build(folder, tag, {"GREETING": "salve"}, again.append, ca_bundle=b"THE BUNDLE\n")
    assert len([line for line in again if "Using cache" in line]) >= 4
    assert remove_everything(engine, installation)["images"] >= 1
    assert not images.exists(tag)
    assert images.exists(IMAGE)


def test_failing_build_says_why(engine, image, installation, tmp_path):
    images = Images(engine, installation=installation)
    folder = context(tmp_path / "c", f"FROM {IMAGE}", "RUN exit 3")
    with pytest.raises(BuildFailed, match="returned a non-zero code: 3"):
        images.build(folder, f"paas/{installation}:1", {}, lambda line: None)


def test_push_gives_the_digest_by_which_the_image_is_pulled(engine, image, installation, registry, tmp_path):
    images = Images(engine, installation=installation)
    tag = f"paas/{installation}:1"
    images.build(context(tmp_path / "c", f"FROM {IMAGE}", "COPY hello.sh /"), tag, {}, lambda line: None)
    made = engine.pull(tag, lambda name: {})
    with Registry(f"http://{registry}") as client:
        digest = images.push(tag, client, "builders/python")
    assert digest.startswith("sha256:")
    remove_everything(engine, installation, registry_host=registry)
    assert not images.exists(f"{registry}/builders/python@{digest}")
    asked = []
    pulled = engine.pull(f"{registry}/builders/python@{digest}", lambda name: asked.append(name) or {})
    assert asked == ["builders/python"]
    assert pulled["Id"] == made["Id"], "the engine knows its own image again"
    assert pulled["RepoDigests"] == [f"{registry}/builders/python@{digest}"]
    remove_everything(engine, installation, registry_host=registry)


def test_clean_up_touches_only_its_own(engine, image, installation):
    other = f"{installation}-other"
    with engine.door("make a stranger's container") as api:
        stranger = api.create_container_from_config({"Image": image, "Cmd": ["true"]}, name=f"{other}-c")["Id"]
        network = api.create_network(f"{other}-n", labels={"io.paas.installation": other})["Id"]
        mine = api.create_network(f"{installation}-n", labels={"io.paas.installation": installation})["Id"]
    try:
        assert remove_everything(engine, installation) == {"containers": 0, "networks": 1, "images": 0}
        with engine.door("look") as api:
            api.inspect_container(stranger)
            api.inspect_network(network)
            assert mine not in [n["Id"] for n in api.networks()]
    finally:
        with engine.door("tidy") as api:
            api.remove_container(stranger)
            api.remove_network(network)
