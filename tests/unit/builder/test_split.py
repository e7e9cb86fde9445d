from __future__ import annotations

import gzip
import hashlib
import io
import posixpath
import tarfile
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paas.builder import split
from paas.builder.split import Part
from paas.oci.archive import Entry, Reader
from paas.oci.layers import LayerWriter
from paas.ports import Changes

RULE = split.dependency_rule(["/opt/app-root/lib", "/opt/app-root/.dependencies-installed"])
NAMES = st.sampled_from(["lib", "src", "node_modules", "app.py", "site-packages", "vendor", "bundle", "a b", "é"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/".join(["opt", "app-root", *names]))


def changes(tree: Mapping[str, Entry], deleted: tuple[str, ...] = ()) -> Changes:
    """Every folder before what lies in it, as an engine tells it."""
    order = sorted(tree, key=lambda path: path.split("/"))
    return Changes(((tree[path], Reader(io.BytesIO(path.encode()), tree[path].size)) for path in order), deleted)


def cut(made: Changes) -> dict[Part, tuple[str, list[tarfile.TarInfo]]]:
    """Each layer's diff id and members."""
    sinks: dict[Part, tuple[LayerWriter, io.BytesIO]] = {}

    def open_layer(part: Part) -> LayerWriter:
        sink = io.BytesIO()
        sinks[part] = LayerWriter(sink.write), sink
        return sinks[part][0]

    split.split(made, RULE, open_layer)
    found = {}
    for part, (writer, sink) in sinks.items():
        diff_id = writer.finish().diff_id
        data = gzip.decompress(sink.getvalue())
        assert diff_id == "sha256:" + hashlib.sha256(data).hexdigest()
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            found[part] = (diff_id, tar.getmembers())
    return found


def file(path: str) -> Entry:
    return Entry(path, "file", 0o644, len(path.encode()), uid=1001)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Entry]:
    """Files and folders without a file in a folder's place, with hard links to earlier files."""
    tree: dict[str, Entry] = {}
    for path in sorted(draw(st.sets(PATHS, max_size=12)), key=lambda text: text.split("/")):
        folders = []
        above = posixpath.dirname(path)
        while above:
            folders.append(above)
            above = posixpath.dirname(above)
        if any(folder in tree and tree[folder].kind != "dir" for folder in folders) or path in tree:
            continue
        tree |= {folder: Entry(folder, "dir", 0o775, uid=1001) for folder in folders if folder not in tree}
        files = [known for known, entry in tree.items() if entry.kind == "file"]
        kind = draw(st.sampled_from(["file", "dir", "hardlink"] if files else ["file", "dir"]))
        if kind == "hardlink":
            tree[path] = Entry(path, "hardlink", 0o644, 0, draw(st.sampled_from(files)), 1001)
        else:
            tree[path] = file(path) if kind == "file" else Entry(path, "dir", 0o775, uid=1001)
    return tree


@given(trees())
@settings(max_examples=150, deadline=None)
def test_layers_together_are_the_tree_and_nothing_else(tree: dict[str, Entry]) -> None:
    layers = cut(changes(tree))
    merged: dict[str, str] = {}
    for _, members in layers.values():
        seen = set()
        for member in members:
            seen.add(member.name)
            kind = "dir" if member.isdir() else "hardlink" if member.islnk() else "file"
            assert merged.setdefault(member.name, kind) == kind == "dir" or merged[member.name] == kind
            assert not posixpath.dirname(member.name) or posixpath.dirname(member.name) in seen
            assert not member.islnk() or member.linkname in seen
    assert merged == {path: entry.kind for path, entry in tree.items()}


@given(trees())
@settings(max_examples=60, deadline=None)
def test_same_tree_gives_the_same_layers(tree: dict[str, Entry]) -> None:
    first, second = cut(changes(tree)), cut(changes(dict(reversed(tree.items()))))
    assert {part: made[0] for part, made in first.items()} == {part: made[0] for part, made in second.items()}


@given(trees())
@settings(max_examples=60, deadline=None)
def test_files_lie_in_the_layer_of_their_path(tree: dict[str, Entry]) -> None:
    for part, (_, members) in cut(changes(tree)).items():
        plain = [member.name for member in members if member.isreg() and not member.islnk()]
        assert all(RULE(name) == (part == "dependencies") for name in plain)


def test_no_change_opens_no_layer() -> None:
    assert cut(changes({})) == {}


def test_hard_link_to_the_other_layer_goes_where_its_file_is() -> None:
    kept, linked = "opt/app-root/lib/a", "opt/app-root/src/b"
    layers = cut(changes({kept: file(kept), linked: Entry(linked, "hardlink", 0o644, 0, kept)}))
    assert list(layers) == ["dependencies"]
    assert [member.name for member in layers["dependencies"][1]][-1] == linked


def test_link_to_a_moved_link_follows_it() -> None:
    a, b, c = "opt/app-root/lib/a", "opt/app-root/src/b", "opt/app-root/src/c"
    tree = {a: file(a), b: Entry(b, "hardlink", 0o644, 0, a), c: Entry(c, "hardlink", 0o644, 0, b)}
    assert list(cut(changes(tree))) == ["dependencies"]


def test_deleted_path_is_whited_out_in_its_own_layer() -> None:
    layers = cut(changes({}, ("opt/app-root/lib/x", "opt/app-root/src/y")))
    names = {part: [member.name for member in members] for part, (_, members) in layers.items()}
    assert names == {
        "dependencies": ["opt", "opt/app-root", "opt/app-root/lib", "opt/app-root/lib/.wh.x"],
        "source": ["opt", "opt/app-root", "opt/app-root/src", "opt/app-root/src/.wh.y"],
    }


def test_folder_that_no_change_described_is_still_the_apps() -> None:
    _, members = cut(changes({}, ("opt/app-root/src/y",)))["source"]
    assert [(member.name, member.uid, oct(member.mode)) for member in members[:2]] == [
        ("opt", 0, "0o755"),
        ("opt/app-root", 1001, "0o775"),
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("opt/app-root/lib", True),
        ("opt/app-root/lib/python3.13/x.py", True),
        ("opt/app-root/library/x.py", False),
        ("srv/env/site-packages/x.py", True),
        ("opt/app-root/src/node_modules/ms/index.js", True),
        ("home/u/.m2/repository/a.jar", True),
        ("opt/app-root/src/vendor/bundle/ruby/x.rb", True),
        ("opt/app-root/src/vendor/x.js", False),
        ("opt/app-root/src/bundle/vendor/x.js", False),
        ("opt/app-root/src/app.py", False),
    ],
)
def test_dependency_rule(path: str, expected: bool) -> None:
    assert RULE(path) is expected
