from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paas.oci import layers
from paas.oci.archive import Entry
from paas.oci.layers import LayerWriter
from paas.oci.streams import Chunks


def write(body: bytes, slicing: list[int]) -> tuple[layers.Layer, bytes]:
    out = io.BytesIO()
    writer = LayerWriter(out.write)
    writer.add(Entry("opt", "dir", 0o755))
    pieces, at = [], 0
    for size in slicing:
        pieces.append(body[at : at + size])
        at += size
    pieces.append(body[at:])
    writer.add(Entry("opt/a", "file", 0o644, len(body), uid=1001), Chunks(pieces))
    writer.whiteout("opt/b")
    return writer.finish(), out.getvalue()


BODY = hashlib.shake_256(b"seed").digest(500_000) + b"text " * 500_000


@given(st.lists(st.integers(0, 700_000), max_size=6))
@settings(max_examples=15, deadline=None)
def test_layer_does_not_depend_on_how_its_bodies_arrive(slicing: list[int]) -> None:
    assert write(BODY, slicing) == write(BODY, [])


def test_digests_are_those_of_the_bytes() -> None:
    layer, blob = write(BODY, [])
    tar = gzip.decompress(blob)
    assert layer.digest == "sha256:" + hashlib.sha256(blob).hexdigest()
    assert layer.diff_id == "sha256:" + hashlib.sha256(tar).hexdigest()
    assert (layer.size, layer.tar_bytes, layer.entries) == (len(blob), len(tar), 3)
    assert blob[4:8] == bytes(4)


def test_deleted_path_becomes_a_whiteout() -> None:
    _, blob = write(b"", [])
    with tarfile.open(fileobj=io.BytesIO(blob)) as tar:
        assert tar.getnames() == ["opt", "opt/a", "opt/.wh.b"]


def test_zlib_gives_the_same_diff_id(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, _ = write(BODY, [])
    monkeypatch.setitem(__import__("sys").modules, "isal", None)
    slow, blob = write(BODY, [])
    assert slow.diff_id == fast.diff_id
    assert zlib.decompress(blob, 31) == gzip.decompress(blob)


def test_what_the_sink_raises_reaches_the_writer_and_nothing_follows() -> None:
    taken: list[bytes] = []

    def full(data: bytes) -> None:
        if taken:
            raise OSError("full")
        taken.append(data)

    writer = LayerWriter(full)
    body = random.Random(1).randbytes(40 * 1024 * 1024)
    with pytest.raises(OSError, match="full"):
        writer.add(Entry("big", "file", 0o644, len(body)), Chunks([body]))
    assert len(taken) == 1
