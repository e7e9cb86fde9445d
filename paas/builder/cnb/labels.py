"""`io.buildpacks.lifecycle.metadata` and its sisters: what an image says about the layers that it was built from.

The next build reads it back: it is how a buildpack learns what it made last time, and how a layer that is only
declared again is found by its diff id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from paas.builder.cnb.descriptors import Descriptor
from paas.builder.cnb.outputs import LayerOutput, Process
from paas.oci.images import Image

LIFECYCLE = "io.buildpacks.lifecycle.metadata"
BUILD = "io.buildpacks.build.metadata"
PROJECT = "io.buildpacks.project.metadata"
CACHE = "io.buildpacks.lifecycle.cache.metadata"


@dataclass(frozen=True)
class Past:
    """A layer of an earlier build."""

    diff_id: str
    launch: bool
    build: bool
    cache: bool
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """What one image says of the buildpacks' layers, by buildpack and layer."""

    layers: Mapping[str, Mapping[str, Past]] = field(default_factory=dict)
    stores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sbom: str = ""


def buildpack(pack: Descriptor, layers: Iterable[tuple[LayerOutput, str]], store: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the list, with the layers' diff ids."""
    found: dict[str, Any] = {"key": pack.id, "version": pack.version, "homepage": pack.homepage, "layers": {}}
    for layer, diff_id in layers:
        types = {"launch": layer.launch, "build": layer.build, "cache": layer.cache}
        found["layers"][layer.name] = {"sha": diff_id, "data": layer.metadata, **types}
    return found | ({"store": {"metadata": store}} if store else {})


def build_metadata(packs: Iterable[Descriptor], processes: Iterable[Process]) -> dict[str, Any]:
    listed = [{**process.document(), "buildpackID": process.buildpack} for process in processes]
    return {
        "processes": listed,
        "buildpacks": [
            {"id": pack.id, "version": pack.version, "homepage": pack.homepage, "api": pack.api} for pack in packs
        ],
        "launcher": {"version": "0.1.0", "source": {"git": {"repository": "", "commit": ""}}},
    }


def render(document: Mapping[str, Any]) -> str:
    """As JSON, always the same; TOML's times become texts."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)


def read(image: Image, label: str) -> Record:
    """What an image says; nothing where it says nothing that can be read."""
    try:
        document = json.loads(image.labels.get(label, "{}"))
        listed = document.get("buildpacks", [])
        layers = {item["key"]: {name: _past(one) for name, one in item["layers"].items()} for item in listed}
        stores = {item["key"]: dict(item["store"]["metadata"]) for item in listed if "store" in item}
        return Record(layers, stores, str((document.get("sbom") or {}).get("sha", "")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Record()


def _past(item: Mapping[str, Any]) -> Past:
    return Past(str(item["sha"]), bool(item["launch"]), bool(item["build"]), bool(item["cache"]), dict(item["data"]))
