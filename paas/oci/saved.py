"""An image as an engine saves it (`docker save`), streamed into a registry.

An engine's own push compresses slowly (1.4 GB took 64 s, this way 20). The config is kept
to the byte, so that the engine which saved the image knows it again and pulls nothing.
Format: github.com/moby/moby/blob/master/image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from paas.errors import InvalidInput
from paas.oci.archive import CHANGES, Limits, Reader, read_entries
from paas.oci.digests import Digest
from paas.oci.images import CONFIG_MAX, Image
from paas.oci.layers import Layer, TarCompressor
from paas.oci.registry import Registry
from paas.oci.streams import Readable, read_up_to

_PIECE = 1024 * 1024
_BLOCK = 512
_MAGIC = slice(257, 262)
"""Where a tar says that it is one."""
_LIMITS = Limits(max_bytes=64 * 1024 * _PIECE, max_entries=10_000)


def push(stream: Readable, registry: Registry, repo: str, *, tag: str | None = None) -> Digest:
    """Push the one image of the archive; the digest of its manifest. Raises InvalidInput, Unavailable."""
    documents: dict[str, bytes] = {}
    layers: dict[str, Layer] = {}
    links: dict[str, str] = {}
    for entry, body in read_entries(stream, _LIMITS, CHANGES):
        if entry.kind == "symlink":
            links[entry.path] = entry.target.rsplit("../", 1)[-1]  # a layer that the archive holds already
        elif entry.kind == "file":
            first = read_up_to(body, _BLOCK)
            if _is_tar(first):
                layers[entry.path] = _push_layer(registry, repo, first, body)
            elif entry.size <= CONFIG_MAX:
                documents[entry.path] = first + body.read()
    image, config = _image(documents, layers, links)
    return registry.push_image(repo, image, tag=tag, config=config)


def _is_tar(first: bytes) -> bool:
    """By content: engines from 25 on name every file by its digest. A tar of nothing is all zeros."""
    return first[_MAGIC] == b"ustar" or (len(first) == _BLOCK and not first.strip(b"\0"))


def _push_layer(registry: Registry, repo: str, first: bytes, body: Reader) -> Layer:
    with registry.upload(repo) as upload:
        blob = TarCompressor(upload.write)
        blob.write(first)
        while piece := body.read(_PIECE):
            blob.write(piece)
        layer = blob.finish()
        if not registry.has_blob(repo, layer.digest):
            upload.commit(layer.digest)
    return layer


def _image(
    documents: Mapping[str, bytes], layers: Mapping[str, Layer], links: Mapping[str, str]
) -> tuple[Image, bytes]:
    try:
        described: Any = json.loads(documents["manifest.json"])[0]
        config = documents[described["Config"]]
        return Image(json.loads(config), tuple(layers[links.get(path, path)] for path in described["Layers"])), config
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InvalidInput(
            "the saved image is not complete", hint="Save it again with a current engine.", field="image"
        ) from error
