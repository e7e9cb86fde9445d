from __future__ import annotations

import contextlib
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paas.errors import InvalidInput
from paas.oci import archive
from paas.oci.archive import CHANGES, SOURCE, Entry, Limits, Rules, TarWriter
from paas.oci.streams import Chunks

LIMITS = Limits(max_bytes=1_000_000, max_entries=1_000)

Row = tuple[Entry, bytes]


def write(rows: list[Row], *, layer: bool = False) -> bytes:
    out = io.BytesIO()
    writer = TarWriter(out.write, layer=layer)
    for entry, body in rows:
        writer.add(entry, io.BytesIO(body))
    writer.close()
    return out.getvalue()


def read(data: bytes, rules: Rules = SOURCE, limits: Limits = LIMITS) -> list[Row]:
    return [(entry, body.read()) for entry, body in archive.read_entries(io.BytesIO(data), limits, rules)]


def canonical(data: bytes) -> bytes:
    out = io.BytesIO()
    archive.canonical(io.BytesIO(data), LIMITS, out.write)
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def foreign(*members: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive by the standard library, which writes what ours refuses to."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for info in members:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return out.getvalue()


name = st.one_of(
    st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=8),
    st.binary(min_size=1, max_size=8)
    .filter(lambda b: b"/" not in b and b"\0" not in b)
    .map(lambda b: b.decode("utf-8", "surrogateescape")),
    st.just("n" * 130),
).filter(lambda text: text not in (".", ".."))


@st.composite
def trees(draw: st.DrawFn) -> list[Row]:
    """A tree's files under folders that may or may not be named, with symlinks and hard links inside."""
    folders = draw(st.lists(st.lists(name, min_size=1, max_size=3), max_size=4))
    paths = draw(st.lists(st.tuples(st.sampled_from([[], *folders]), name), max_size=8))
    rows: dict[str, Row] = {}
    taken: set[str] = {"/".join(f[:i]) for f in folders for i in range(1, len(f) + 1)}
    for folder, last in paths:
        path = "/".join([*folder, last])
        if path not in taken:
            body = draw(st.binary(max_size=1500))
            taken.add(path)
            rows[path] = (Entry(path, "file", draw(st.sampled_from([0o644, 0o755])), len(body)), body)
    files = sorted(rows)
    for number, target in enumerate(draw(st.lists(st.sampled_from(files), max_size=3)) if files else []):
        entry, _ = rows[target]
        rows[f"hard{number}\n"] = (Entry(f"hard{number}\n", "hardlink", entry.mode, target=target), b"")
    for folder in draw(st.lists(st.sampled_from(["/".join(f) for f in folders]), unique=True)) if folders else []:
        rows[folder] = (Entry(folder, "dir", 0o755), b"")
    rows["soft\n"] = (Entry("soft\n", "symlink", 0o777, target=draw(name)), b"")
    return list(rows.values())


@given(trees(), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_canonical_is_the_same_whatever_the_order(rows: list[Row], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    shuffled.sort(key=lambda row: row[0].kind == "hardlink")  # a hard link always comes after its file
    assert canonical(write(rows)) == canonical(write(shuffled))


@given(trees())
@settings(max_examples=100, deadline=None)
def test_written_entries_are_read_back(rows: list[Row]) -> None:
    assert read(write(rows)) == rows


@given(trees())
@settings(max_examples=50, deadline=None)
def test_canonical_names_every_folder_sorted_and_is_a_fixed_point(rows: list[Row]) -> None:
    once = canonical(write(rows))
    assert canonical(once) == once
    entries = [entry for entry, _ in read(once)]
    paths = [entry.path.encode("utf-8", "surrogateescape") for entry in entries]
    assert paths == sorted(paths)
    folders = {entry.path for entry in entries if entry.kind == "dir"}
    assert all(entry.path.rpartition("/")[0] in folders | {""} for entry in entries)


@given(trees())
@settings(max_examples=50, deadline=None)
def test_standard_library_reads_the_same_names_and_bodies(rows: list[Row]) -> None:
    with tarfile.open(fileobj=io.BytesIO(write(rows)), encoding="utf-8", errors="surrogateescape") as tar:
        found = {info.name: tar.extractfile(info).read() for info in tar if info.isreg()}  # type: ignore[union-attr]
        assert [info.name for info in tar.getmembers()] == [entry.path for entry, _ in rows]
    assert found == {entry.path: body for entry, body in rows if entry.kind == "file"}


@given(trees(), st.data())
@settings(max_examples=150, deadline=None)
def test_truncated_archive_is_refused(rows: list[Row], data: st.DataObject) -> None:
    whole = write(rows)
    cut = data.draw(st.integers(0, len(whole) - 1025))
    with pytest.raises(InvalidInput):
        read(whole[:cut])


@given(st.binary(max_size=3000), st.data())
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(noise: bytes, data: st.DataObject) -> None:
    whole = bytearray(write([(Entry("a", "dir", 0o755), b""), (Entry("a/b", "file", 0o644, 3), b"abc")]) + noise)
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidInput):
        read(bytes(whole))


HOSTILE = {
    "absolute path": [member("/etc/passwd")],
    "parent": [member("a/../../b")],
    "sibling prefix": [member("../src-evil/x")],
    "absolute symlink": [member("l", tarfile.SYMTYPE, linkname="/etc/passwd")],
    "relative symlink out": [member("d/l", tarfile.SYMTYPE, linkname="../../x")],
    "symlink out through a symlink": [
        member("d/e/l", tarfile.SYMTYPE, linkname=".."),
        member("x", tarfile.SYMTYPE, linkname="d/e/l/../.."),
    ],
    "symlink out through a later symlink": [
        member("x", tarfile.SYMTYPE, linkname="d/e/l/../.."),
        member("d/e/l", tarfile.SYMTYPE, linkname=".."),
    ],
    "symlink to itself": [member("l", tarfile.SYMTYPE, linkname="l")],
    "symlink chain": [member(f"l{i}", tarfile.SYMTYPE, linkname=f"l{i + 1}") for i in range(60)],
    "file through a symlink": [member("d/x"), member("l", tarfile.SYMTYPE, linkname="d"), member("l/y")],
    "symlink over a folder": [member("l/y"), member("l", tarfile.SYMTYPE, linkname="d")],
    "file as a folder": [member("f"), member("f/y")],
    "hard link out": [member("h", tarfile.LNKTYPE, linkname="../x")],
    "hard link to nothing": [member("h", tarfile.LNKTYPE, linkname="x")],
    "hard link to itself": [member("h", tarfile.LNKTYPE, linkname="h")],
    "hard link to a symlink": [member("s", tarfile.SYMTYPE, linkname="x"), member("h", tarfile.LNKTYPE, linkname="s")],
    "character device": [member("c", tarfile.CHRTYPE)],
    "block device": [member("b", tarfile.BLKTYPE)],
    "fifo": [member("p", tarfile.FIFOTYPE)],
    "sparse": [member("s", tarfile.GNUTYPE_SPARSE)],
    "sparse by extension": [member("s", pax_headers={"GNU.sparse.major": "1"})],
    "twice": [member("a"), member("./a")],
    "folder twice": [member("a", tarfile.DIRTYPE), member("a/", tarfile.DIRTYPE)],
    "too deep": [member("/".join("a" * 101))],
    "too long": [member("/".join(["a" * 100] * 11))],
    "path by extension": [member("a", pax_headers={"path": "../a"})],
    "NUL by extension": [member("a", pax_headers={"path": "a\0b"})],
    "negative size by extension": [member("a", pax_headers={"size": "-1"})],
    "no name": [member(".")],
    "long extension": [member("a", pax_headers={"comment": "x" * 70_000})],
    "too many entries": [member(f"f{i}") for i in range(1001)],
    "too many implied folders": [member("/".join(f"{i}" for i in range(n, n + 90))) for n in range(0, 9000, 90)],
    "too many bytes": [member("a", size=600_000), member("b", size=600_000)],
}


@pytest.mark.parametrize(
    ("case", "form"),
    [(case, tarfile.PAX_FORMAT) for case in HOSTILE]
    + [(case, tarfile.GNU_FORMAT) for case in HOSTILE if "extension" not in case],
)
def test_source_with_hostile_entry_is_refused_whole(case: str, form: int) -> None:
    got: list[bytes] = []
    with pytest.raises(InvalidInput) as caught:
        archive.canonical(io.BytesIO(foreign(*HOSTILE[case], form=form)), LIMITS, got.append)
    assert caught.value.hint
    assert not got


def test_refusal_of_a_bomb_comes_before_its_bytes() -> None:
    info = member("bomb", size=10**12)
    head = info.tobuf(tarfile.PAX_FORMAT)
    with pytest.raises(InvalidInput, match="limit"):
        read(head)


def test_endless_padding_is_refused() -> None:
    zeros = Chunks(bytes(1024 * 1024) for _ in iter(int, 1))
    with pytest.raises(InvalidInput, match="end marker"):
        list(archive.read_entries(zeros, LIMITS))


@pytest.mark.parametrize("rest", [b"x", write([(Entry("b", "dir", 0o755), b"")])])
def test_anything_after_the_end_is_refused(rest: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(write([(Entry("a", "dir", 0o755), b"")]) + rest)


def test_wrong_checksum_is_refused() -> None:
    data = bytearray(foreign(member("a")))
    data[0] ^= 1
    with pytest.raises(InvalidInput, match="checksum"):
        read(bytes(data))


def test_symlinks_inside_the_source_stay() -> None:
    rows = [
        (Entry("node_modules/.bin/x", "symlink", 0o777, target="../x/cli.js"), b""),
        (Entry("node_modules/x/cli.js", "file", 0o755, 2), b"hi"),
        (Entry("top", "symlink", 0o777, target="node_modules/.."), b""),
        (Entry("gone", "symlink", 0o777, target="nowhere"), b""),
    ]
    assert read(write(rows)) == rows


def test_changes_keep_absolute_symlinks_and_drop_devices_and_setuid() -> None:
    data = foreign(
        member("opt", tarfile.DIRTYPE, mode=0o1777),
        member("opt/python", tarfile.SYMTYPE, linkname="/usr/bin/python3"),
        member("opt/up", tarfile.SYMTYPE, linkname="../../../usr"),
        member("opt/pipe", tarfile.FIFOTYPE),
        member("opt", tarfile.DIRTYPE, mode=0o700),
        member("opt/sudo", mode=0o6755, uid=1001, gid=2**31),
    )
    assert read(data, CHANGES) == [
        (Entry("opt", "dir", 0o1777), b""),
        (Entry("opt/python", "symlink", 0o777, target="/usr/bin/python3"), b""),
        (Entry("opt/up", "symlink", 0o777, target="../../../usr"), b""),
        (Entry("opt/sudo", "file", 0o755, uid=1001, gid=2**31), b""),
    ]


def test_changes_with_a_way_out_by_name_are_refused() -> None:
    for info in (member("../x"), member("/x"), member("h", tarfile.LNKTYPE, linkname="/etc/shadow")):
        with pytest.raises(InvalidInput):
            read(foreign(info), CHANGES)


def test_body_that_was_not_read_is_skipped() -> None:
    data = foreign(member("a", size=70_000), member("b", size=3))
    assert [e.path for e, _ in archive.read_entries(Chunks([data[:5], data[5:]]), LIMITS)] == ["a", "b"]


def test_git_archive_header_owner_and_time_leave_no_trace() -> None:
    plain = foreign(member("a", mode=0o644))
    noisy = io.BytesIO()
    headers = {"comment": "1" * 40}
    with tarfile.open(fileobj=noisy, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        tar.addfile(member("a", mode=0o664, uid=7, uname="me", mtime=1.5))
    assert canonical(noisy.getvalue()) == canonical(plain)


def test_number_too_great_for_ustar_survives() -> None:
    out = io.BytesIO()
    TarWriter(out.write).add(Entry("a", "dir", 0o755, uid=2**31, gid=2**22))
    with tarfile.open(fileobj=io.BytesIO(out.getvalue() + bytes(1024))) as tar:
        info = tar.next()
    assert info is not None
    assert (info.uid, info.gid, info.mtime) == (2**31, 2**22, archive.EPOCH)


def test_refused_name_is_fit_for_a_terminal() -> None:
    with pytest.raises(InvalidInput) as caught:
        read(foreign(member("../\x1b[2J\n\udcff")))
    assert caught.value.message.isascii()
    assert "\x1b" not in caught.value.message


def test_layer_refuses_whiteout_names_and_missing_folders() -> None:
    for entry in (Entry(".wh.a", "dir", 0o755), Entry("a/b", "dir", 0o755)):
        with pytest.raises(InvalidInput):
            write([(entry, b"")], layer=True)


def test_writer_refuses_a_short_body_and_a_repeated_path() -> None:
    with pytest.raises(InvalidInput, match="early"):
        write([(Entry("a", "file", 0o644, 5), b"abc")])
    with pytest.raises(InvalidInput, match="twice"):
        write([(Entry("a", "file", 0o644), b""), (Entry("a", "file", 0o644), b"")])
