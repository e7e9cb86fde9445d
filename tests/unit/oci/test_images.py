from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.errors import InvalidInput, NotFound
from paas.oci import images
from paas.oci.digests import sha256
from paas.oci.images import Image
from paas.oci.layers import Layer

DOCKER_TAR = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def layer(name: str, media_type: str = images.GZIP_LAYER) -> Layer:
    return Layer(sha256(name.encode()), sha256(b"tar " + name.encode()), 10, media_type)


def base(*names: str) -> Image:
    parts = tuple(layer(name, DOCKER_TAR) for name in names)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "docker_version": "20.10",
        "container": "f00",
        "config": {"Env": ["PATH=/bin", "A=1=2"], "Cmd": ["sh"], "Hostname": "h", "Labels": {"x": "1"}, "User": "7"},
        "rootfs": {"type": "layers", "diff_ids": [part.diff_id for part in parts]},
        "history": [{"created_by": "x"} for _ in parts] + [{"created_by": "ENV", "empty_layer": True}],
    }
    return Image(config, parts)


def docker_manifest(image: Image) -> tuple[bytes, bytes]:
    config = json.dumps(image.config).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": images.DOCKER_MANIFEST,
        "config": {"mediaType": "x", "digest": sha256(config), "size": len(config)},
        "layers": [{"mediaType": part.media_type, "digest": part.digest, "size": part.size} for part in image.layers],
    }
    return json.dumps(document).encode(), config


def test_extend_adds_layers_and_settings_and_forgets_the_engine() -> None:
    image = images.extend(
        base("a"), [layer("b")], env={"A": "3", "B": "4"}, labels={"y": "2"}, entrypoint=["run"], user="1001"
    )
    assert image.env == {"PATH": "/bin", "A": "3", "B": "4"}
    assert image.labels == {"x": "1", "y": "2"}
    assert image.user == "1001"
    assert image.config["config"]["Entrypoint"] == ["run"]
    assert "Cmd" not in image.config["config"]
    assert not {"docker_version", "container"} & set(image.config)
    assert "Hostname" not in image.config["config"]
    assert [len(image.layers), len(image.config["history"])] == [2, 3]
    assert image.config["architecture"] == "amd64"


def test_extend_with_nothing_said_keeps_the_base() -> None:
    image = images.extend(base("a"), [])
    assert image.config["config"]["Cmd"] == ["sh"]
    assert image.env == {"PATH": "/bin", "A": "1=2"}
    assert image.user == "7"


def test_extend_repairs_a_history_that_does_not_fit() -> None:
    odd = base("a", "b")
    odd = Image({**odd.config, "history": [{"created_by": "x"}]}, odd.layers)
    assert len(images.extend(odd, [layer("c")]).config["history"]) == 3


def test_render_is_deterministic_and_writes_oci_types() -> None:
    manifest, config, digest = images.render(base("a", "b"))
    assert images.render(base("a", "b")) == (manifest, config, digest)
    assert digest == sha256(manifest)
    assert {item["mediaType"] for item in json.loads(manifest)["layers"]} == {images.GZIP_LAYER}
    assert json.loads(manifest)["mediaType"] == images.OCI_MANIFEST


@given(
    st.lists(st.text("abc", min_size=1), unique=True, min_size=1), st.dictionaries(st.text("AB", min_size=1), st.text())
)
def test_rendered_image_is_read_back(names: list[str], env: dict[str, str]) -> None:
    image = images.extend(base("base"), [layer(name) for name in names], env=env)
    manifest, config, digest = images.render(image)
    again = images.assemble(images.parse_manifest(manifest), config)
    assert images.render(again) == (manifest, config, digest)
    assert again.env == image.env


def test_docker_manifest_is_read() -> None:
    manifest, config = docker_manifest(base("a", "b"))
    image = images.assemble(images.parse_manifest(manifest), config)
    assert [part.digest for part in image.layers] == [sha256(b"a"), sha256(b"b")]


def test_index_gives_the_platform() -> None:
    def item(architecture: str) -> dict[str, object]:
        platform = {"os": "linux", "architecture": architecture}
        return {"mediaType": "x", "digest": sha256(architecture.encode()), "size": 3, "platform": platform}

    index = images.parse_index(json.dumps({"manifests": [item("arm64"), item("amd64")]}).encode())
    assert index
    assert images.choose(index, "linux/amd64").digest == sha256(b"amd64")
    with pytest.raises(NotFound) as caught:
        images.choose(index, "linux/riscv64")
    assert "linux/arm64" in caught.value.hint


def broken() -> dict[str, Image]:
    good = base("a", "b")
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    return {
        "a layer too few": Image(good.config, good.layers[:1]),
        "layers swapped": Image(good.config, good.layers[::-1]),
        "no architecture": Image({**good.config, "architecture": ""}, good.layers),
        "foreign layer": Image(good.config, (layer("a", foreign), good.layers[1])),
        "bad digest": Image(
            {**good.config, "rootfs": {"diff_ids": ["sha256:0"]}},
            (Layer(sha256(b"a"), "sha256:0", 1),),  # type: ignore[arg-type]
        ),
        "env of numbers": Image({**good.config, "config": {"Env": [1]}}, good.layers),
        "labels a list": Image({**good.config, "config": {"Labels": ["x"]}}, good.layers),
        "history of text": Image({**good.config, "history": ["x"]}, good.layers),
    }


@pytest.mark.parametrize("case", broken())
def test_broken_image_is_refused(case: str) -> None:
    with pytest.raises(InvalidInput):
        images.render(broken()[case])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"schemaVersion":1}',
        b'{"schemaVersion":2,"config":3,"layers":[]}',
        b'{"schemaVersion":2,"config":{"digest":"sha256:zz","size":1},"layers":[]}',
    ],
)
def test_malformed_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        images.parse_manifest(data)
