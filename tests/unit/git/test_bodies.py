from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.errors import InvalidInput
from paas.git import bodies

MOST = 1024 * 1024


@given(st.binary(max_size=300_000))
def test_body_arrives_whole_plain_and_packed(data: bytes) -> None:
    assert b"".join(bodies.pieces(io.BytesIO(data), "", MOST)) == data
    assert b"".join(bodies.pieces(io.BytesIO(gzip.compress(data)), "gzip", MOST)) == data


def test_bomb_is_stopped_at_the_limit_in_small_pieces() -> None:
    bomb = gzip.compress(bytes(50 * MOST))
    sizes: list[int] = []
    with pytest.raises(InvalidInput, match="over"):
        sizes.extend(len(piece) for piece in bodies.pieces(io.BytesIO(bomb), "gzip", MOST))
    assert max(sizes) <= bodies.PIECE
    assert sum(sizes) <= MOST


@pytest.mark.parametrize(
    "packed",
    [b"", b"no gzip", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"x") + b"more", gzip.compress(b"x") * 2],
    ids=["empty", "other", "cut", "more", "twice"],
)
def test_damaged_gzip_is_refused(packed: bytes) -> None:
    with pytest.raises(InvalidInput, match="damaged"):
        list(bodies.pieces(io.BytesIO(packed), "gzip", MOST))


def test_unknown_encoding_is_refused() -> None:
    with pytest.raises(InvalidInput):
        list(bodies.pieces(io.BytesIO(b""), "br", MOST))


class BreaksOff(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise ConnectionResetError


def test_client_that_breaks_off_is_a_bad_request() -> None:
    with pytest.raises(InvalidInput, match="broke off"):
        list(bodies.pieces(BreaksOff(), "", MOST))  # type: ignore[arg-type]
