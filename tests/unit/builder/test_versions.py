from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder import versions, wishes
from paas.builder.catalog import Builder, Version
from paas.errors import BuildFailed

PYTHON = Builder(
    "python", "Python", "3.13", ("requirements.txt",),
    version_files=(
        (".python-version", ""), ("runtime.txt", ""), (".tool-versions", "python"),
        ("pyproject.toml", "project.requires-python"), ("pyproject.toml", "tool.poetry.dependencies.python"),
    ),
    versions=(Version("3.11", "bookworm"), Version("3.13"), Version("3.14", "sid")),
)  # fmt: skip
NODE = Builder(
    "nodejs", "Node.js", "20", ("package.json",),
    version_files=((".nvmrc", ""), ("package.json", "engines.node")),
    versions=(Version("18", "bookworm"), Version("20"), Version("24", "sid")),
)  # fmt: skip
GO = Builder(
    "go", "Go", "1.24", ("go.mod",), version_files=(("go.mod", "go"),), versions=(Version("1.19"), Version("1.24"))
)
JAVA = Builder(
    "java", "Java", "21", ("pom.xml",),
    version_files=(("system.properties", "java.runtime.version"), ("pom.xml", "maven.compiler.release")),
    versions=(Version("17"), Version("21")),
)  # fmt: skip
PHP = Builder(
    "php", "PHP", "8.4", ("composer.json",),
    version_files=(("composer.json", "require.php"),), versions=(Version("8.2"), Version("8.4")),
)  # fmt: skip
RUBY = Builder(
    "ruby", "Ruby", "3.3", ("Gemfile",),
    version_files=((".ruby-version", ""), ("Gemfile", "ruby")), versions=(Version("3.1"), Version("3.3")),
)  # fmt: skip


def chosen(builder: Builder, file: str, content: str) -> str:
    return versions.choose(builder, {file: content.encode()}).builder.version


@pytest.mark.parametrize(
    ("builder", "file", "content", "version"),
    [
        (PYTHON, ".python-version", "3.11\n", "3.11"),
        (PYTHON, ".python-version", "# pyenv\n3.11.4\n3.10\n", "3.11"),
        (PYTHON, "runtime.txt", "python-3.14.0rc1", "3.14"),
        (PYTHON, ".tool-versions", "nodejs 20.1.0\npython 3.11.9 3.10\n", "3.11"),
        (PYTHON, "pyproject.toml", '[project]\nrequires-python = ">=3.9"', "3.13"),
        (PYTHON, "pyproject.toml", '[project]\nrequires-python = ">=3.9, <3.13"', "3.11"),
        (PYTHON, "pyproject.toml", '[project]\nrequires-python = "==3.11.*"', "3.11"),
        (PYTHON, "pyproject.toml", '[project]\nrequires-python = "~=3.14.0"', "3.14"),
        (PYTHON, "pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.11"', "3.13"),
        (PYTHON, "pyproject.toml", '[tool.poetry.dependencies]\npython = {version = "~3.11"}', "3.11"),
        (PYTHON, "pyproject.toml", "not toml [", "3.13"),
        (NODE, ".nvmrc", "v18.19.1", "18"),
        (NODE, ".nvmrc", "lts/*", "20"),
        (NODE, ".nvmrc", "lts/hydrogen", "18"),
        (NODE, "package.json", '{"engines": {"node": ">=18"}}', "20"),
        (NODE, "package.json", '{"engines": {"node": ">= 18 < 20"}}', "18"),
        (NODE, "package.json", '{"engines": {"node": "18.x || 24.x"}}', "24"),
        (NODE, "package.json", '{"engines": {"node": "^18.12.0"}}', "18"),
        (NODE, "package.json", '{"engines": {"node": "18 - 20"}}', "20"),
        (NODE, "package.json", '{"engines": {"node": "*"}}', "20"),
        (NODE, "package.json", '{"engines": {"npm": "10"}}', "20"),
        (NODE, "package.json", '{"engines": "node"}', "20"),
        (GO, "go.mod", "module a\n\ngo 1.18\n", "1.24"),
        (GO, "go.mod", "module a\n\ngo 1.24.1\n", "1.24"),
        (JAVA, "system.properties", "java.runtime.version = 17", "17"),
        (JAVA, "pom.xml", "<maven.compiler.release>17</maven.compiler.release>", "21"),
        (JAVA, "pom.xml", "<maven.compiler.release>1.8</maven.compiler.release>", "21"),
        (PHP, "composer.json", '{"require": {"php": "~8.1"}}', "8.4"),
        (PHP, "composer.json", '{"require": {"php": "8.2.*"}}', "8.2"),
        (PHP, "composer.json", '{"require": {"php": "^7.4|^8.0"}}', "8.4"),
        (RUBY, ".ruby-version", "ruby-3.1.2", "3.1"),
        (RUBY, "Gemfile", 'source "x"\nruby "~> 3.1.0"\n', "3.1"),
        (RUBY, "Gemfile", 'ruby file: ".ruby-version"\n', "3.3"),
    ],
)
def test_source_names_its_version(builder: Builder, file: str, content: str, version: str) -> None:
    assert chosen(builder, file, content) == version


@pytest.mark.parametrize(
    ("builder", "file", "content"),
    [
        (PYTHON, ".python-version", "3.8"),
        (PYTHON, ".python-version", "pypy3.10-nonsense"),
        (PYTHON, "pyproject.toml", '[project]\nrequires-python = ">=3.15"'),
        (NODE, "package.json", '{"engines": {"node": "16.x"}}'),
        (NODE, ".nvmrc", "$(rm -rf /)"),
        (GO, "go.mod", "go 1.99"),
    ],
)
def test_version_that_is_not_there_names_file_and_lists_those_that_are(
    builder: Builder, file: str, content: str
) -> None:
    with pytest.raises(BuildFailed) as failed:
        chosen(builder, file, content)
    assert failed.value.reason == "UnknownVersion"
    assert file in failed.value.message
    for version in builder.versions:
        assert version.name in failed.value.hint


def test_owners_choice_wins_and_must_exist() -> None:
    files = {".python-version": b"3.11"}
    assert versions.choose(PYTHON, files, "3.14").builder.version == "3.14"
    with pytest.raises(BuildFailed) as failed:
        versions.choose(PYTHON, files, "2.7")
    assert "3.13, 3.11, 3.14" in failed.value.hint


def test_first_file_with_a_wish_decides() -> None:
    files = {".python-version": b"3.11", "pyproject.toml": b'[project]\nrequires-python = ">=3.14"'}
    assert versions.choose(PYTHON, files).file == ".python-version"


def test_nothing_said_is_the_default() -> None:
    found = versions.choose(PYTHON, {})
    assert (found.builder.version, found.file) == ("3.13", "")


@given(st.text(max_size=60))
def test_any_text_is_a_version_that_is_there_or_a_failure(text: str) -> None:
    for file in (".nvmrc", "package.json"):
        with suppress(BuildFailed):
            assert chosen(NODE, file, text) in ("18", "20", "24")


NUMBERS = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))


@given(NUMBERS, NUMBERS)
def test_at_least_and_less_agree_with_the_numbers(low: tuple[int, int, int], point: tuple[int, int, int]) -> None:
    def allowed(text: str) -> bool:
        return any(first <= point < last for first, last in versions.parse(text))

    text = ".".join(map(str, low))
    assert allowed(f">={text}") == (point >= low)
    assert allowed(f"<{text}") == (point < low)
    assert allowed(f"^{text}") == (low <= point and point[0] == low[0])
    assert allowed(f"~{text}") == (low <= point and point[:2] == low[:2])
    assert allowed(text) == (point == low)


@given(st.lists(st.sampled_from(["18", "20", "24"]), unique=True, min_size=1))
def test_what_is_written_out_is_found(wanted: list[str]) -> None:
    best = versions.pick(wishes.Wish("f", " || ".join(wanted)), ["20", "18", "24"])
    assert best == ("20" if "20" in wanted else max(wanted, key=int))
