"""What buildpacks and sources write: TOML, buildpack.toml, project.toml, .buildpacks, patterns."""

from __future__ import annotations

import contextlib
import fnmatch
import math
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder.cnb import descriptors, globs, project, toml
from paas.builder.cnb.descriptors import Ref, Target
from paas.builder.cnb.project import Item
from paas.errors import BuildFailed

NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
SCALAR = st.text(st.characters(exclude_categories=["Cs"])) | st.booleans() | st.integers(-(2**60), 2**60)
SCALAR |= st.floats(allow_nan=False) | st.datetimes()
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3), max_leaves=8
)
DESCRIPTOR = 'api = "0.10"\n[buildpack]\nid = "a/b"\nversion = "1.2.3"\n'


@given(st.dictionaries(NAME, VALUE, max_size=4))
def test_toml_that_is_written_reads_the_same(document: dict[str, Any]) -> None:
    assert tomllib.loads(toml.dump(document).decode()) == document


def test_toml_writes_tables_that_a_script_can_look_for() -> None:
    text = toml.dump({"entries": [{"name": "jdk", "metadata": {"version": "21"}}], "n": math.inf}).decode()
    assert text == 'n = inf\n[[entries]]\nname = "jdk"\n[entries.metadata]\nversion = "21"\n'


@pytest.mark.parametrize("text", [b"a = " + b"[" * 5000, b"\xff", b"a = 1\na = 2", b"#" * (toml.MAX + 1)])
def test_toml_that_nobody_can_read_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"deep|valid|larger"):
        toml.parse(text)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_fail_the_build(content: bytes) -> None:
    for read in (project.parse, project.parse_list, lambda given: descriptors.parse(given, "x")):
        with contextlib.suppress(BuildFailed):
            read(content)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (DESCRIPTOR.replace("0.10", "0.2"), "0.10, 0.11, 0.12"),
        (DESCRIPTOR.replace("a/b", "../b"), "'../b'"),
        (DESCRIPTOR.replace("a/b", "config"), "'config'"),
        (DESCRIPTOR.replace("1.2.3", "1.2"), "X.Y.Z"),
        (DESCRIPTOR + "clear-env = 1\n", "clear-env"),
        (DESCRIPTOR + '[[order]]\n[[order.group]]\nid = "c"\n[[targets]]\nos = "linux"\n', "order"),
        (DESCRIPTOR + "[[order]]\ngroup = []\n", "order.group"),
    ],
)
def test_descriptor_that_is_wrong_names_file_and_key(given: str, said: str) -> None:
    with pytest.raises(BuildFailed, match=r"buildpacks/x/buildpack\.toml") as failed:
        descriptors.parse(given.encode(), "buildpacks/x/buildpack.toml")
    assert said in str(failed.value)


def test_descriptor_targets_and_the_stack_of_old() -> None:
    image = Target("linux", "amd64", distros=(("debian", "13"),))

    def fits(more: str) -> bool:
        return descriptors.parse((DESCRIPTOR + more).encode(), "x").fits(image)

    assert fits("")
    assert fits('[[targets]]\nos = "linux"\n')
    assert fits('[[stacks]]\nid = "*"\n')
    assert not fits('[[targets]]\nos = "windows"\n')
    assert not fits('[[targets]]\narch = "arm64"\n')
    assert not fits('[[targets]]\n[[targets.distros]]\nname = "ubuntu"\n')
    assert fits('[[targets]]\n[[targets.distros]]\nname = "debian"\nversion = "13"\n')
    assert not fits('[[stacks]]\nid = "io.buildpacks.stacks.bionic"\n')


def test_composite_descriptor_has_groups() -> None:
    text = (
        DESCRIPTOR
        + '[[order]]\n[[order.group]]\nid = "c"\n[[order.group]]\nid = "d"\nversion = "1.0.0"\noptional = true\n'
    )
    assert descriptors.parse(text.encode(), "x").order == ((Ref("c"), Ref("d", "1.0.0", optional=True)),)


def test_project_of_both_schemas() -> None:
    new = b"""
[_]
schema-version = "0.2"
[io.buildpacks]
exclude = ["*.md"]
[[io.buildpacks.group]]
uri = "./packs/one"
[[io.buildpacks.group]]
id = "two"
[io.buildpacks.group.script]
api = "0.10"
inline = "exit 0"
[[io.buildpacks.pre.group]]
id = "first"
version = "1.0.0"
[[io.buildpacks.build.env]]
name = "BP_X"
value = "1"
"""
    found = project.parse(new)
    assert [(item.id, item.uri, item.script is not None) for item in found.group] == [
        ("", "./packs/one", False),
        ("two", "", True),
    ]
    assert (found.before, found.env) == ((Item("first", "1.0.0"),), {"BP_X": "1"})
    assert found.is_left_out()("docs/a.md")
    old = b'[build]\ninclude = ["src/**"]\n[[build.buildpacks]]\nid = "two"\n[[build.env]]\nname = "A"\nvalue = "b"\n'
    found = project.parse(old)
    assert (found.group, found.env) == ((Item("two"),), {"A": "b"})
    assert (found.is_left_out()("src/a/b"), found.is_left_out()("other")) == (False, True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('[_]\nschema-version = "9"\n', "schema-version"),
        ('[io.buildpacks]\ninclude = ["a"]\nexclude = ["b"]\n', "both include and exclude"),
        ('[[io.buildpacks.group]]\nid = "a"\nversion = "1.0.0"\nuri = "./b"\n', "only one of them"),
        ('[[io.buildpacks.group]]\nversion = "1.0.0"\n', "without id, uri or script"),
        ('[[io.buildpacks.build.env]]\nname = "CNB_APP_DIR"\nvalue = "x"\n', "CNB_APP_DIR"),
        ('[[io.buildpacks.group]]\n[io.buildpacks.group.script]\napi = "0.10"\n', "api and inline"),
        ("[io]\nbuildpacks = 3\n", "buildpacks must be a table"),
    ],
)
def test_project_that_is_wrong_names_the_key(given: str, said: str) -> None:
    with pytest.raises(BuildFailed, match=r"project\.toml") as failed:
        project.parse(given.encode())
    assert said in str(failed.value)


def test_buildpacks_file_has_paths_ids_and_comments() -> None:
    found = project.parse_list(b"# mine\n./packs/one\ntwo@1.0.0\n\nthree\n")
    assert found == (Item(uri="./packs/one"), Item("two", "1.0.0"), Item("three"))
    with pytest.raises(BuildFailed, match="not fetched"):
        project.parse_list(b"https://github.com/heroku/heroku-buildpack-go\n")


@pytest.mark.parametrize(
    ("patterns", "named", "kept"),
    [
        (["*.log"], ["a.log", "x/y/a.log"], ["log", "a.log2"]),
        (["/build"], ["build", "build/x"], ["x/build"]),
        (["node_modules/"], ["node_modules/a", "x/node_modules/b"], ["node_modules"]),
        (["docs/**/*.md"], ["docs/a.md", "docs/x/y/a.md"], ["a.md", "other/docs/a.md"]),
        (["*.txt", "!keep.txt"], ["a.txt"], ["keep.txt"]),
        (["a?c", "[x-z]1"], ["abc", "y1"], ["a/c", "w1"]),
    ],
)
def test_gitignore_patterns(patterns: list[str], named: list[str], kept: list[str]) -> None:
    rule = globs.git(patterns)
    assert [path for path in named if not rule(path)] == []
    assert [path for path in kept if rule(path)] == []


@given(st.text("ab*?", min_size=1, max_size=12), st.text("ab", max_size=12))
def test_glob_of_one_name_agrees_with_fnmatch(pattern: str, name: str) -> None:
    assert bool(globs.go(pattern).fullmatch(name)) == fnmatch.fnmatchcase(name, pattern)


def test_glob_of_many_stars_needs_no_years() -> None:
    assert not globs.go("*a" * 200).fullmatch("a" * 199 + "b")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "/workspace/../x", ""])
def test_slices_stay_in_the_app(path: str) -> None:
    with pytest.raises(ValueError, match="not in the app's folder"):
        globs.slice_of([path], "/workspace")
    assert globs.slice_of(["/workspace/static"], "/workspace")("static/css/a.css")
