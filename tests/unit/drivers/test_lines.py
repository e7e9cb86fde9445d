from __future__ import annotations

import itertools
import struct

from hypothesis import given
from hypothesis import strategies as st

from paas.drivers.docker import frames, lines


def split(chunks):
    found = lines.Lines()
    out = [line for chunk in chunks for line in found.feed(chunk)]
    return [*out, *found.end()]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_lines_do_not_depend_on_how_the_bytes_came(data, cuts):
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    chunks = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert split(chunks) == split([data])


def test_progress_is_collapsed_to_its_last_state():
    assert split([b" 1%\r 2%", b"\r 3%\r\n", b"done\n"]) == [" 3%", "done"]


def test_endless_line_is_cut_and_uses_bounded_memory():
    found = lines.Lines()
    for _ in range(1000):
        assert list(found.feed(b"x" * 65536)) == []
        assert len(found._rest) <= lines._KEPT
    assert list(found.end()) == ["x" * lines.LIMIT + lines.CUT]


def test_endless_progress_bar_keeps_its_last_state():
    found = lines.Lines()
    for n in range(20_000):
        assert list(found.feed(b"\r%6d" % n)) == []
    assert list(found.feed(b"\n")) == [" 19999"]


def test_bytes_that_are_not_text_are_replaced():
    assert split([b"\xff ok\n\xc3", b"\xa4\n"]) == ["\ufffd ok", "ä"]


def reader(data: bytes):
    left = bytearray(data)

    def read(n):
        piece = bytes(left[:n])
        del left[:n]
        return piece

    return read


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


def test_two_streams_are_told_apart_and_cut_off_ones_are_told():
    data = frame(1, b"on") + frame(2, b"err\n") + frame(1, b"e\ntw") + frame(2, b"") + frame(1, b"o")
    assert list(frames.output_lines(reader(data))) == ["err", "one", "two"]
    assert list(frames.output_lines(reader(data[:-1]))) == ["err", "one", "tw"]


def test_stored_line_in_several_frames_has_one_stamp():
    stamp, later = b"2026-11-23T04:16:55.000000001Z", b"2026-11-23T04:16:55.000000002Z"
    data = frame(1, stamp + b" long ") + frame(1, stamp + b" line\n") + frame(1, later + b" next\n")
    assert list(frames.stored_lines(reader(data))) == [(stamp.decode(), "long line"), (later.decode(), "next")]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_to_the_end(data):
    list(frames.output_lines(reader(data)))
    list(frames.stored_lines(reader(data)))


def test_stamp_becomes_seconds_and_nanoseconds():
    assert frames.since("1970-01-02T00:00:01.000000123Z") == "86401.000000123"
    assert frames.since("1970-01-01T00:00:05Z") == "5.000000000"
    assert frames.since("2026-11-23T04:16:55.1Z").endswith(".100000000")
