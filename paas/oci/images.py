"""Images as values: read what a registry holds, put layers on top, write an OCI manifest.

The same image always renders to the same bytes, so its digest is a function of its parts. What an engine noted
about itself (host names, container ids, its version) is not a part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from paas.errors import InvalidInput, NotFound
from paas.oci.digests import Digest, is_digest, parse_digest, sha256
from paas.oci.layers import GZIP_LAYER, Layer

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPTED = (OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, DOCKER_INDEX)

CONFIG_MAX = 4 * 1024 * 1024
CREATED = "1980-01-01T00:00:01Z"
_OCI_TAR = "application/vnd.oci.image.layer.v1.tar"
_LAYER_TYPES = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": GZIP_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar": _OCI_TAR,
    GZIP_LAYER: GZIP_LAYER,
    _OCI_TAR: _OCI_TAR,
    _OCI_TAR + "+zstd": _OCI_TAR + "+zstd",
}
_IMAGE_KEYS = ("author", "architecture", "os", "os.version", "os.features", "variant")
_CONFIG_KEYS = (
    "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal",
    "StopTimeout", "Healthcheck", "Shell",
)  # fmt: skip


@dataclass(frozen=True)
class Image:
    """An image: what runs, on which layers. The config is the document of the OCI image specification."""

    config: Mapping[str, Any]
    layers: tuple[Layer, ...]

    @property
    def env(self) -> dict[str, str]:
        """The variables it sets."""
        return dict(_pair(line) for line in self._settings.get("Env") or ())

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return dict(self._settings.get("Labels") or {})

    @property
    def user(self) -> str:
        """Whom its processes run as; empty is root."""
        return str(self._settings.get("User") or "")

    @property
    def _settings(self) -> Mapping[str, Any]:
        return self.config.get("config") or {}


@dataclass(frozen=True)
class Descriptor:
    """A reference to a blob or a manifest."""

    media_type: str
    digest: Digest
    size: int
    platform: str = ""
    """`linux/amd64`, in an index."""


@dataclass(frozen=True)
class Manifest:
    """The list of blobs that are an image."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


class Additions(TypedDict, total=False):
    """What an image says anew over its base; what is left out stays the base's."""

    env: Mapping[str, str]
    labels: Mapping[str, str]
    entrypoint: Sequence[str]
    cmd: Sequence[str]
    user: str
    workdir: str
    created: str
    created_by: str


def parse_manifest(data: bytes) -> Manifest:
    """An OCI or Docker (schema 2) manifest."""
    document = _parse_json(data, "manifest")
    if document.get("schemaVersion") != 2 or "config" not in document:
        raise _unfit("its manifest is of an old or unknown form", "Push it again with a current engine.")
    layers = tuple(_descriptor(item) for item in _list(document, "layers"))
    return Manifest(_descriptor(document["config"]), layers)


def parse_index(data: bytes) -> tuple[Descriptor, ...] | None:
    """The manifests of an image for many platforms; None if these bytes are no index."""
    document = _parse_json(data, "manifest")
    if "manifests" not in document:
        return None
    return tuple(_descriptor(item) for item in _list(document, "manifests"))


def choose(index: Sequence[Descriptor], platform: str) -> Descriptor:
    """The manifest for a platform."""
    for item in index:
        if item.platform == platform:
            return item
    there = ", ".join(sorted({item.platform for item in index if item.platform})) or "none"
    raise NotFound(f"The image has no variant for {platform}.", hint=f"It has: {there}.")


def assemble(manifest: Manifest, config: bytes) -> Image:
    """The image that a manifest and its config make."""
    document = _parse_json(config, "config")
    rootfs = document.get("rootfs")
    diff_ids = _list(rootfs, "diff_ids") if isinstance(rootfs, dict) else []
    if len(diff_ids) != len(manifest.layers):
        raise _unfit(f"it has {len(manifest.layers)} layers and {len(diff_ids)} diff ids", "Push it again.")
    layers = tuple(
        Layer(blob.digest, parse_digest(diff_id), blob.size, _layer_type(blob.media_type))
        for blob, diff_id in zip(manifest.layers, diff_ids, strict=True)
    )
    image = Image(document, layers)
    validate(image)
    return image


def extend(base: Image, layers: Sequence[Layer], **additions: Unpack[Additions]) -> Image:
    """The base with layers on top. Variables and labels are added to the base's, the rest replaces it.

    As in a Dockerfile, a new entrypoint without a new command drops the base's command.
    """
    created = additions.get("created", CREATED)
    settings = {key: base.config["config"][key] for key in _CONFIG_KEYS if (base.config.get("config") or {}).get(key)}
    if "entrypoint" in additions:
        settings["Entrypoint"] = list(additions["entrypoint"])
        settings.pop("Cmd", None)
    if "cmd" in additions:
        settings["Cmd"] = list(additions["cmd"])
    settings["Env"] = [f"{key}={value}" for key, value in (base.env | dict(additions.get("env", {}))).items()]
    settings["Labels"] = base.labels | dict(additions.get("labels", {}))
    settings["User"] = additions.get("user", base.user)
    settings["WorkingDir"] = additions.get("workdir", settings.get("WorkingDir", ""))
    config = {key: base.config[key] for key in _IMAGE_KEYS if key in base.config}
    config |= {"created": created, "config": {key: value for key, value in settings.items() if value}}
    every = (*base.layers, *layers)
    config["rootfs"] = {"type": "layers", "diff_ids": [layer.diff_id for layer in every]}
    step = {"created": created, "created_by": additions.get("created_by", "paas")}
    config["history"] = _history(base) + [step for _ in layers]
    image = Image(config, every)
    validate(image)
    return image


def render(image: Image, config: bytes | None = None) -> tuple[bytes, bytes, Digest]:
    """The manifest, the config, and the digest of the manifest, which is the image's.

    `config`: the image's config to the byte, where an engine that has the image must know it again.
    """
    validate(image)
    config = _render_json(image.config) if config is None else config
    manifest = _render_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": sha256(config), "size": len(config)},
            "layers": [
                {"mediaType": _layer_type(layer.media_type), "digest": layer.digest, "size": layer.size}
                for layer in image.layers
            ],
        }
    )
    return manifest, config, sha256(manifest)


def validate(image: Image) -> None:
    """Refuse what an engine would not start, or would start as something else. Raises InvalidInput."""
    rootfs = image.config.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if diff_ids != [layer.diff_id for layer in image.layers]:
        raise _unfit("the diff ids of its config are not those of its layers", "Push it again.")
    for layer in image.layers:
        _layer_type(layer.media_type)
        if not (is_digest(layer.digest) and is_digest(layer.diff_id)) or layer.size <= 0:
            raise _unfit("a layer has a malformed digest or size", "Push it again.")
    for key in ("os", "architecture"):
        if not isinstance(image.config.get(key), str) or not image.config[key]:
            raise _unfit(f"its config does not say its {key}", "Build it for a platform.")
    _check_settings(image.config)


def _check_settings(config: Mapping[str, Any]) -> None:
    settings, history = config.get("config") or {}, config.get("history") or []
    if not isinstance(settings, dict) or not isinstance(history, list):
        raise _unfit("its config is malformed", "Push it again.")
    lists = [settings.get(key) or [] for key in ("Env", "Entrypoint", "Cmd")]
    texts = [settings.get(key) or "" for key in ("User", "WorkingDir")]
    labels = settings.get("Labels") or {}
    if not all(isinstance(item, list) for item in lists) or not isinstance(labels, dict):
        raise _unfit("its config is malformed", "Push it again.")
    texts += [text for item in lists for text in item] + list(labels.values())
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(step, dict) for step in history):
        raise _unfit("its config is malformed", "Push it again.")


def _history(base: Image) -> list[dict[str, Any]]:
    """The base's history if it fits its layers, else one plain line for each: engines count them."""
    history = base.config.get("history") or []
    if sum(not step.get("empty_layer") for step in history) == len(base.layers):
        return list(history)
    return [{"created": CREATED, "created_by": "base"} for _ in base.layers]


def _layer_type(media_type: str) -> str:
    if media_type not in _LAYER_TYPES:
        raise _unfit(f"a layer is of the type {media_type[:100]!r}", "Use a Linux image with tar or tar+gzip layers.")
    return _LAYER_TYPES[media_type]


def _descriptor(item: object) -> Descriptor:
    if not isinstance(item, dict) or not isinstance(item.get("size"), int) or item["size"] < 0:
        raise _unfit("its manifest has a malformed reference", "Push it again.")
    platform = item.get("platform")
    names = [platform.get("os"), platform.get("architecture")] if isinstance(platform, dict) else []
    return Descriptor(
        str(item.get("mediaType", "")),
        parse_digest(item.get("digest")),
        item["size"],
        "/".join(str(name) for name in names),
    )


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    if not isinstance(value, list):
        raise _unfit(f"it has no list of {key}", "Push it again.")
    return value


def _parse_json(data: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _unfit(f"its {what} is not JSON", "Push it again.") from error
    if not isinstance(document, dict):
        raise _unfit(f"its {what} is malformed", "Push it again.")
    return document


def _render_json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name, value


def _unfit(why: str, hint: str) -> InvalidInput:
    return InvalidInput(f"The image cannot be used: {why}.", hint=hint)
