from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

import pytest

from paas.builder import inputs, source, sourcetar
from paas.errors import BuildFailed, InvalidInput
from paas.oci import archive
from paas.oci.layers import LayerWriter
from paas.oci.streams import Chunks

LIMITS = archive.Limits(max_bytes=10_000_000, max_entries=1000)
TEXT = 1000


def pack(files: Mapping[str, bytes | str]) -> bytes:
    """The canonical tar of a source; texts are links, `=x` a hard link."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(body, str):
                info.type = tarfile.LNKTYPE if body.startswith("=") else tarfile.SYMTYPE
                info.linkname = body.removeprefix("=")
                tar.addfile(info)
            else:
                info.size, info.mode = len(body), 0o755 if body.startswith(b"#!") else 0o644
                tar.addfile(info, io.BytesIO(body))
    raw.seek(0)
    out = bytearray()
    archive.canonical(raw, LIMITS, out.extend)
    return bytes(out)


def read(files: Mapping[str, bytes | str], *wanted: str, limit: int = TEXT) -> source.SourceFiles:
    blob = pack(files)
    return source.read(lambda: [blob], dict.fromkeys((*wanted, ".s2iignore"), limit), LIMITS, inputs.references)


def members(tar: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return opened.getmembers()


def test_names_at_the_top_and_wanted_contents_are_read() -> None:
    found = read({"a": b"1", "b/c": b"2", "b/d": b"3"}, "b/c")
    assert found.names == {"a", "b", "b/c"}
    assert found.contents == {"b/c": b"2"}
    assert (found.entries, found.size) == (4, 3)


def test_nested_requirements_are_read_in_further_passes() -> None:
    files = {"requirements.txt": b"-r r/base.txt", "r/base.txt": b"-c c.txt", "r/c.txt": b"x==1", "r/d.txt": b""}
    assert set(read(files, "requirements.txt").contents) == {"requirements.txt", "r/base.txt", "r/c.txt"}


def test_links_are_read_at_their_end() -> None:
    files = {"requirements.txt": "r/base.txt", "r/base.txt": "../real", "real": b"flask", "again": "=real"}
    found = read(files, "requirements.txt", "again")
    assert found.contents["requirements.txt"] == found.contents["again"] == b"flask"
    assert "requirements.txt" not in found.links


def test_link_to_nothing_stays_a_link() -> None:
    assert read({"Procfile": "gone/away"}, "Procfile").links == {"Procfile": "gone/away"}


def test_file_over_its_cap_is_named() -> None:
    with pytest.raises(BuildFailed, match=r"Procfile has 1.0 kB") as failed:
        read({"Procfile": b"x" * 1001}, "Procfile")
    assert (failed.value.reason, failed.value.stage) == ("FileTooLarge", "detect")


def test_ignored_files_are_not_there() -> None:
    found = read({".s2iignore": b"requirements.txt\n", "requirements.txt": b"", "a": b""}, "requirements.txt")
    assert found.names == {".s2iignore", "a"}
    assert set(found.contents) == {".s2iignore"}
    assert found.is_ignored("requirements.txt")


def test_damaged_source_is_refused() -> None:
    blob = pack({"a": b"x" * 5000})[:3000]
    with pytest.raises(InvalidInput, match="damaged"):
        source.inspect(Chunks([blob]), {}, LIMITS)


def test_source_layer_is_the_source_below_its_folder_for_the_apps_group() -> None:
    blob = pack({"app.py": b"1", "bin/run": b"#!x", "secret": b"2", "link": "app.py", "same": "=app.py"})
    out = io.BytesIO()
    writer = LayerWriter(out.write)
    sourcetar.write_below([blob], LIMITS, "/opt/app-root/src", lambda path: path == "secret", writer)
    layer = writer.finish()
    told = [(m.name, oct(m.mode), m.uid, m.gid, m.linkname) for m in members(out.getvalue())]
    assert told == [
        ("opt", "0o755", 0, 0, ""),
        ("opt/app-root", "0o775", 1001, 0, ""),
        ("opt/app-root/src", "0o775", 1001, 0, ""),
        ("opt/app-root/src/app.py", "0o664", 1001, 0, ""),
        ("opt/app-root/src/bin", "0o775", 1001, 0, ""),
        ("opt/app-root/src/bin/run", "0o775", 1001, 0, ""),
        ("opt/app-root/src/link", "0o777", 1001, 0, "app.py"),
        ("opt/app-root/src/same", "0o664", 1001, 0, "opt/app-root/src/app.py"),
    ]
    assert layer.entries == 8


def test_source_with_an_images_own_names_cannot_become_a_layer() -> None:
    with pytest.raises(InvalidInput, match="deleted files"):
        sourcetar.write_below([pack({".wh.x": b""})], LIMITS, "/opt/src", lambda path: False, LayerWriter(len))


def test_sandbox_gets_the_source_and_its_own_scripts_apart() -> None:
    blob = pack({".s2i/bin/assemble": b"#!/bin/sh\n", ".s2i/bin/run": b"x", "app.py": b"1"})
    with sourcetar.for_sandbox([blob], LIMITS, lambda path: False, (".s2i/bin",)) as tar:
        found = {member.name: member for member in members(b"".join(tar))}
    assert oct(found["src"].mode) == "0o775"
    assert {found[name].uid for name in found} == {1001}
    assert {"src/app.py", "src/.s2i/bin/assemble", "scripts/assemble", "scripts/run"} <= found.keys()
    assert oct(found["scripts/run"].mode) == "0o755"


def test_sandbox_of_the_dependency_step_gets_nothing_but_the_files() -> None:
    tar = sourcetar.of_files({"r/base.txt": b"1", "requirements.txt": b"2"})
    assert [member.name for member in members(tar)] == ["src", "src/r", "src/r/base.txt", "src/requirements.txt"]
