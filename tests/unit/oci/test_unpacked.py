"""A compressed layer read back: the same bytes, in small pieces, or an error that says so."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.errors import InvalidInput
from paas.oci.layers import unpacked


@given(st.binary(max_size=5000), st.integers(1, 400))
def test_bytes_come_back_however_they_are_cut(content: bytes, size: int) -> None:
    packed = gzip.compress(content)
    assert b"".join(unpacked(packed[at : at + size] for at in range(0, len(packed), size))) == content


def test_what_grows_a_thousandfold_comes_in_small_pieces() -> None:
    packed = gzip.compress(bytes(64 << 20))
    sizes = [len(piece) for piece in unpacked([packed])]
    assert (sum(sizes), max(sizes)) == (64 << 20, 1 << 20)


@pytest.mark.parametrize("packed", [b"no gzip at all", gzip.compress(b"x" * 1000)[:-9], b""])
def test_damaged_layer_is_named(packed: bytes) -> None:
    with pytest.raises(InvalidInput, match="damaged"):
        list(unpacked([packed]))
