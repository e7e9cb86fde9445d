from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder import dependencies
from paas.builder.catalog import Builder
from paas.builder.dependencies import Declared, Inputs, Nothing, Widened
from paas.oci.digests import sha256

PYTHON = Builder(
    "python",
    "Python",
    "3.13",
    ("requirements.txt",),
    dependency_files=("uv.lock", "requirements.txt", "constraints.txt", "pyproject.toml"),
    lock_files=("uv.lock",),
    copy="/opt/app-root/src",
)
NODE = Builder(
    "nodejs",
    "Node.js",
    "20",
    ("package.json",),
    dependency_files=("package.json", "package-lock.json", "yarn.lock", "pnpm-workspace.yaml", ".yarnrc.yml"),
    lock_files=("package-lock.json", "yarn.lock"),
    copy="/opt/app-root/src",
)
STATIC = Builder("static", "Static site", "1", ("index.html",), copy="/opt/app-root/src")
STOCK = Builder("stock", "Stock", "1", ("x",))
INPUTS = Inputs(sha256(b"build"), sha256(b"run"), "linux/amd64", {"requirements.txt": b"flask"}, {"A": "1"})
FILES = st.dictionaries(st.text(min_size=1, max_size=8), st.binary(max_size=8), max_size=4)
TEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)


def plan(builder: Builder, files: dict[str, str]) -> dependencies.Plan:
    contents = {path: text.encode() for path, text in files.items()}
    return dependencies.plan(builder, dependencies.select(builder, contents), {}, own_assemble=False)


@given(FILES, TEXTS, FILES, TEXTS)
def test_keys_are_equal_exactly_when_all_inputs_are(
    files: dict[str, bytes], env: dict[str, str], others: dict[str, bytes], other_env: dict[str, str]
) -> None:
    first, second = replace(INPUTS, files=files, environment=env), replace(INPUTS, files=others, environment=other_env)
    assert (dependencies.key(first) == dependencies.key(second)) == (first == second)


@given(FILES)
def test_key_does_not_depend_on_the_order_of_files(files: dict[str, bytes]) -> None:
    turned = dict(reversed(files.items()))
    assert dependencies.key(replace(INPUTS, files=files)) == dependencies.key(replace(INPUTS, files=turned))


@pytest.mark.parametrize(
    "change",
    [
        {"builder": sha256(b"x")},
        {"run": sha256(b"x")},
        {"platform": "linux/arm64"},
        {"files": {"requirements.txt": b"flask "}},
        {"files": {"requirements.tx": b"flask"}},
        {"environment": {"A": "2"}},
        {"environment": {}},
    ],
)
def test_key_changes_with_each_input(change: dict[str, object]) -> None:
    assert dependencies.key(replace(INPUTS, **change)) != dependencies.key(INPUTS)


def test_key_is_a_tag() -> None:
    assert len(dependencies.key(INPUTS)) == 64


def test_declared_files_come_with_what_they_nest() -> None:
    found = plan(
        PYTHON,
        {"requirements.txt": "-r base/all.txt\n", "base/all.txt": "-c ../c.txt\nflask\n", "c.txt": "", "x.txt": ""},
    )
    assert isinstance(found, Declared)
    assert set(found.files) == {"requirements.txt", "base/all.txt", "c.txt"}
    assert found.main == "requirements.txt"


def test_nested_file_that_is_not_there_widens() -> None:
    assert plan(PYTHON, {"requirements.txt": "-r base.txt"}) == Widened(
        "requirements.txt names base.txt, which is not a file of the source"
    )


def test_nested_file_outside_the_source_widens() -> None:
    assert isinstance(plan(PYTHON, {"requirements.txt": "-r ../base.txt"}), Widened)


def test_nested_files_in_a_circle_end() -> None:
    assert isinstance(plan(PYTHON, {"requirements.txt": "-r a.txt", "a.txt": "-r requirements.txt"}), Declared)


@pytest.mark.parametrize(
    "line",
    [
        "-e .",
        "-e git+https://example.org/x.git#egg=x",
        "--editable=./lib",
        "./lib",
        ".",
        "../lib",
        "/srv/lib",
        "lib/inner",
        "lib[extra]/",
        "inner.whl",
        "wheels/x-1-py3-none-any.whl",
        "x.tar.gz",
        "inner @ file:///opt/x",
        "inner@file:x",
        "inner @ ./x",
        "file:///opt/x.whl",
        "--find-links wheels",
        "-f ./wheels",
        "--find-links=wheels",
        "--index-url file:///srv/index",
        "fl\\\nask @ ./x",
    ],
)
def test_requirement_that_needs_the_source_widens(line: str) -> None:
    assert isinstance(plan(PYTHON, {"requirements.txt": f"flask\n{line}\n"}), Widened)


@pytest.mark.parametrize(
    ("line", "is_pinned"),
    [
        ("flask==3.1.2", True),
        ("Flask[async] == 3.1.2 ; python_version > '3'", True),
        ("flask===3.1.2", True),
        ("flask==3.*", False),
        ("flask>=3", False),
        ("flask", False),
        ("flask==3.1,<4", False),
        ("flask ~= 3.1  # comment", False),
        ("flask==3.1.2 --hash=sha256:" + "0" * 64, True),
        ("flask==3.1.2 \\\n    --hash=sha256:" + "0" * 64, True),
        ("flask @ https://example.org/flask.whl", False),
        ("flask @ https://example.org/flask.whl#sha256=" + "0" * 64, True),
        ("flask @ git+https://example.org/flask", False),
        ("flask @ git+https://example.org/flask@main", False),
        ("flask @ git+https://example.org/flask@" + "a" * 40, True),
        ("# nothing", True),
        ("--index-url https://example.org/simple\nflask==1", True),
        ("--find-links https://example.org/\nflask==1", True),
        ("-r https://example.org/r.txt", False),
    ],
)
def test_requirement_is_pinned_when_it_allows_one_version(line: str, is_pinned: bool) -> None:
    found = plan(PYTHON, {"requirements.txt": line})
    assert isinstance(found, Declared), found
    assert found.is_pinned is is_pinned


def test_constraint_pins_the_requirement() -> None:
    found = plan(PYTHON, {"requirements.txt": "-c constraints.txt\nFlask_Login\n", "constraints.txt": "flask-login==1"})
    assert isinstance(found, Declared)
    assert found.is_pinned


def test_lock_file_pins_everything() -> None:
    found = plan(PYTHON, {"pyproject.toml": '[project]\ndependencies = ["flask"]', "uv.lock": "version = 1"})
    assert isinstance(found, Declared)
    assert found.is_pinned
    assert found.main == "uv.lock"


@pytest.mark.parametrize(
    "text",
    [
        '[project]\ndynamic = ["dependencies"]',
        '[project]\ndependencies = ["x @ file:///x"]',
        '[tool.uv.sources]\nx = { path = "x" }',
        "[tool.uv.sources]\nx = { workspace = true }",
        '[tool.uv.workspace]\nmembers = ["x"]',
        '[tool.poetry.dependencies]\nx = { path = "x", develop = true }',
        '[tool.poetry.group.dev.dependencies]\nx = [{ path = "x" }]',
        "not toml",
        "project = 3",
        "[project]\ndynamic = 3",
    ],
)
def test_pyproject_that_needs_the_source_widens(text: str) -> None:
    assert isinstance(plan(PYTHON, {"pyproject.toml": text}), Widened)


@pytest.mark.parametrize(
    "text",
    [
        '[project]\ndynamic = ["version"]\ndependencies = ["flask==1"]\n[build-system]\nrequires = ["hatchling"]',
        '[tool.poetry]\npackages = [{ include = "x", path = "y" }]\n[tool.poetry.dependencies]\nflask = "^3"',
        '[tool.uv.sources]\nx = { git = "https://example.org/x" }',
    ],
)
def test_pyproject_with_declared_dependencies_is_enough(text: str) -> None:
    found = plan(PYTHON, {"pyproject.toml": text})
    assert isinstance(found, Declared)
    assert not found.is_pinned


def test_lock_of_the_project_itself_is_enough() -> None:
    text = (
        '[[package]]\nname = "shop"\nsource = { editable = "." }\n[[package]]\nname = "x"\nsource = { registry = "y" }'
    )
    assert isinstance(plan(PYTHON, {"uv.lock": text}), Declared)
    assert isinstance(plan(PYTHON, {"uv.lock": text.replace('"."', '"lib"')}), Widened)


@pytest.mark.parametrize(
    "text",
    [
        '{"scripts": {"postinstall": "x"}}',
        '{"scripts": {"prepare": "x"}}',
        '{"workspaces": ["a"]}',
        '{"dependencies": {"a": "file:../a"}}',
        '{"devDependencies": {"a": "link:./a"}}',
        '{"dependencies": {"a": "workspace:*"}}',
        '{"dependencies": {"a": "./a"}}',
        '{"overrides": {"a": {"b": "file:b"}}}',
        '{"pnpm": {"patchedDependencies": {"a": "b"}}}',
        "{",
        "[]",
        "[" * 100_000,
    ],
)
def test_package_json_that_needs_the_source_widens(text: str) -> None:
    assert isinstance(plan(NODE, {"package.json": text}), Widened)


@pytest.mark.parametrize(
    "lock",
    [
        {"package-lock.json": '{"packages": {"a": {"link": true}}}'},
        {"package-lock.json": '{"packages": {"a": {"resolved": "file:a.tgz"}}}'},
        {"yarn.lock": 'a@1:\n  resolved "file:./a.tgz"\n'},
        {"yarn.lock": '"a@file:a":\n  version "1"\n'},
        {"yarn.lock": '"a@workspace:packages/a":\n  version: 0.0.0-use.local\n'},
        {"yarn.lock": '  resolution: "a@patch:a@npm%3A1#./a.patch"\n'},
        {"pnpm-workspace.yaml": "packages:\n  - packages/*\n"},
        {".yarnrc.yml": "plugins:\n  - path: .yarn/plugins/a.cjs\n"},
    ],
)
def test_node_lock_with_a_local_path_widens(lock: dict[str, str]) -> None:
    assert isinstance(plan(NODE, {"package.json": "{}", **lock}), Widened)


def test_yarn_lock_that_names_the_project_itself_is_no_reason_to_widen() -> None:
    lock = '"shop@workspace:.":\n  resolution: "shop@workspace:."\n"a@patch:a@1#optional!builtin<compat/a>":\n'
    assert isinstance(plan(NODE, {"package.json": "{}", "yarn.lock": lock}), Declared)


def test_package_json_is_pinned_by_lock_or_exact_versions() -> None:
    package = '{"dependencies": {"a": "^1.0.0"}, "scripts": {"start": "x", "build": "y"}}'
    assert plan(NODE, {"package.json": package}) == Declared({"package.json": package.encode()}, is_pinned=False)
    locked = plan(NODE, {"package.json": package, "package-lock.json": '{"packages": {"": {}}}'})
    assert isinstance(locked, Declared)
    assert locked.is_pinned
    exact = plan(NODE, {"package.json": package.replace("^", "")})
    assert isinstance(exact, Declared)
    assert exact.is_pinned


def test_nothing_to_install_where_builder_or_source_have_no_dependencies() -> None:
    assert plan(STATIC, {}) == Nothing()
    assert plan(PYTHON, {"other.txt": "x"}) == Nothing()


def test_stock_builder_gets_the_whole_source() -> None:
    assert isinstance(plan(STOCK, {"requirements.txt": "flask==1"}), Widened)


def test_own_assemble_gets_the_whole_source() -> None:
    found = dependencies.plan(PYTHON, {"requirements.txt": b"flask==1"}, {}, own_assemble=True)
    assert isinstance(found, Widened)


def test_dependency_file_that_is_a_dead_link_widens() -> None:
    assert isinstance(dependencies.plan(PYTHON, {}, {"requirements.txt": "gone"}, own_assemble=False), Widened)


@pytest.mark.parametrize(
    "line", [" " * 200_000 + "x", "#" * 200_000, "@" * 200_000, "x" + "=" * 200_000, "-r" + " " * 200_000]
)
def test_hostile_line_is_read_in_linear_time(line: str) -> None:
    began = time.monotonic()
    plan(PYTHON, {"requirements.txt": line})
    assert time.monotonic() - began < 1


@given(st.binary(max_size=200))
def test_any_bytes_give_a_plan(content: bytes) -> None:
    for builder, path in ((PYTHON, "requirements.txt"), (PYTHON, "pyproject.toml"), (NODE, "package.json")):
        assert dependencies.plan(builder, {path: content}, {}, own_assemble=False)


@given(st.text(alphabet="-er ./=ab@:#;\\\n[]\"'*~>,", max_size=60))
def test_any_requirements_give_a_plan(text: str) -> None:
    plan(PYTHON, {"requirements.txt": text})


def test_unpinned_dependencies_are_fresh_until_their_age() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert dependencies.is_fresh(now, now, 10)
    assert not dependencies.is_fresh(now - timedelta(seconds=10), now, 10)
    assert not dependencies.is_fresh(now + timedelta(seconds=10), now, 10)
