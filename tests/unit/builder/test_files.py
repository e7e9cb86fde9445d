"""The small files of a source: .s2iignore, .s2i/environment, Procfile and app.json, a builder image's labels."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder import environment, failures, ignore, messages, processes, scripts, source_step
from paas.builder.catalog import Builder
from paas.builder.source import SourceFiles
from paas.errors import BuildFailed, InvalidInput
from paas.oci.images import Image

RUN = "/usr/libexec/s2i/run"
PYTHON = Builder(
    "python",
    "Python",
    "3.13",
    ("requirements.txt",),
    copy="/opt/app-root/src",
    assemble_if=("manage.py",),
    assemble_if_key=(("pyproject.toml", "build-system"), ("package.json", "scripts.build")),
)


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        ("secret", "secret", True),
        ("secret", "secret/deep/file", True),
        ("secret", "other/secret", False),
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "lib/a.pyc", False),
        ("*/*.pyc", "lib/a.pyc", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("[^a-c]x", "dx", True),
        ("[!a]x", "!x", True),
        (r"\*", "*", True),
        (r"\*", "x", False),
        ("[a", "[a", True),
        ("# secret\n\n", "# secret", False),
        ("*.md\n!README.md", "README.md", False),
        ("!README.md\n*.md", "README.md", True),
        ("docs\n!docs/keep", "docs/keep", True),
        ("/docs/", "docs/a", True),
    ],
)
def test_s2iignore(patterns: str, path: str, expected: bool) -> None:
    assert ignore.parse(patterns.encode())(path) is expected


def test_s2iignore_with_hostile_patterns_stays_fast() -> None:
    is_ignored = ignore.parse(("*a" * 100 + "b\n").encode() * 50)
    began = time.monotonic()
    assert not is_ignored("a" * 1000)
    assert time.monotonic() - began < 1


def test_s2iignore_has_a_limit() -> None:
    with pytest.raises(InvalidInput, match="500 patterns"):
        ignore.parse(b"a\n" * 501)


@given(st.binary(max_size=60), st.text(min_size=1, max_size=20))
def test_s2iignore_takes_any_bytes(content: bytes, path: str) -> None:
    assert ignore.parse(content)(path) in (True, False)


def test_environment_is_read_and_the_rest_told() -> None:
    found = environment.parse(b"A=1\n# x\n\nB = two words \nC=a=b\nno\n1X=2\nD=\n")
    assert found == ({"A": "1", "B": "two words", "C": "a=b", "D": ""}, ["line 6", "line 7"])


def test_processes_come_from_the_procfile() -> None:
    files = SourceFiles(contents={"Procfile": b"web: a b\nworker: c\nrelease: d\n"})
    found = processes.read(files, RUN)
    assert found.commands == {"web": ("/bin/sh", "-c", "exec a b"), "worker": ("/bin/sh", "-c", "exec c")}
    assert found.release == ("/bin/sh", "-c", "exec d")


@pytest.mark.parametrize("contents", [{}, {"Procfile": b"release: x"}])
def test_without_a_command_web_is_the_builders_run_script(contents: dict[str, bytes]) -> None:
    assert processes.read(SourceFiles(contents=contents), RUN).commands == {"web": (RUN,)}


def test_health_is_kept_for_process_types_that_exist() -> None:
    app = b'{"healthchecks": {"web": [{"path": "/up"}], "gone": [{"path": "/"}]}}'
    assert list(processes.read(SourceFiles(contents={"app.json": app}), RUN).health) == ["web"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (SourceFiles(contents={"Procfile": b"web\n"}), "InvalidProcfile"),
        (SourceFiles(contents={"app.json": b"{"}), "InvalidAppJson"),
        (SourceFiles(links={"Procfile": "gone"}), "InvalidSource"),
    ],
)
def test_file_that_is_not_what_it_should_be_fails_the_build(files: SourceFiles, reason: str) -> None:
    with pytest.raises(BuildFailed) as failed:
        processes.read(files, RUN)
    assert (failed.value.reason, failed.value.stage) == (reason, "detect")
    assert failed.value.hint


def builder_image(user: str = "1001", **labels: str) -> Image:
    named = {f"io.openshift.s2i.{name.replace('_', '-')}": value for name, value in labels.items()}
    return Image({"config": {"User": user, "Labels": named}}, ())


def test_labels_say_where_scripts_are() -> None:
    found = scripts.read(
        PYTHON, builder_image(scripts_url="image:///opt/s2i/", destination="/opt/dest", assemble_user="7")
    )
    assert found == scripts.Scripts("/opt/s2i", "/opt/dest", "7")
    assert scripts.read(PYTHON, builder_image()) == scripts.Scripts("/usr/libexec/s2i", "/tmp", "1001")


@pytest.mark.parametrize(
    "image",
    [
        builder_image(scripts_url="https://example.org/s2i"),
        builder_image(scripts_url="file:///s2i"),
        builder_image(scripts_url="image:///../x"),
        builder_image(destination="relative"),
        builder_image(user="root"),
        builder_image(user="0"),
        builder_image(user=""),
        builder_image(assemble_user="0:0"),
    ],
)
def test_builder_image_that_lies_is_refused(image: Image) -> None:
    with pytest.raises(BuildFailed) as failed:
        scripts.read(PYTHON, image)
    assert failed.value.reason == "PullBuilderImageFailed"


@pytest.mark.parametrize(
    ("names", "contents", "needs"),
    [
        ({"app.py"}, {}, False),
        ({"manage.py"}, {}, True),
        ({".s2i/bin/assemble"}, {}, True),
        (set(), {"pyproject.toml": b"[build-system]\nrequires = []"}, True),
        (set(), {"pyproject.toml": b"[project]\nname = 'x'"}, False),
        (set(), {"pyproject.toml": b"not toml"}, True),
        (set(), {"package.json": b'{"scripts": {"build": "x"}}'}, True),
        (set(), {"package.json": b'{"scripts": {"start": "x"}}'}, False),
        (set(), {"package.json": b'{"scripts": 3}'}, False),
    ],
)
def test_source_that_is_more_than_copied_is_assembled(names: set[str], contents: dict[str, bytes], needs: bool) -> None:
    files = SourceFiles(names=frozenset(names), contents=contents)
    assert bool(source_step.reason_to_assemble(PYTHON, files)) is needs


@pytest.mark.parametrize(
    ("line", "reason", "words"),
    [
        ("ERROR: No matching distribution found for flask==99", "AssembleFailed", "wanted version"),
        ("  × No solution found when resolving dependencies:", "AssembleFailed", "wanted version"),
        ("npm error code ETARGET", "AssembleFailed", "wanted version"),
        ("npm error `npm ci` can only install packages when they are in sync.", "AssembleFailed", "lock file"),
        ("  Caused by: error sending request for url (https://x/)", "DependencyIndexUnreachable", "index"),
        ("npm error code ECONNREFUSED", "DependencyIndexUnreachable", "index"),
        ("npm error code UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "DependencyIndexUnreachable", "index"),
        ("OSError: [Errno 28] No space left on device", "AssembleFailed", "disk"),
        ("django.db.utils.OperationalError: Connection refused", "AssembleFailed", ""),
        ("", "AssembleFailed", ""),
    ],
)
def test_frequent_causes_are_recognised(line: str, reason: str, words: str) -> None:
    found = failures.explain(["Installing", line, "failed"])
    assert found.reason == reason
    assert words in found.message
    assert found.hint


def test_lines_follow_the_fields_form() -> None:
    assert messages.detected(PYTHON, "requirements.txt") == "-----> Python app detected (requirements.txt)"
    assert messages.detail("Installing") == "       Installing"
    line = messages.layer("dependencies", "reused", "sha256:" + "a" * 64, 61_200_000, "same requirements.txt")
    assert line == "       dependencies  reused  sha256:aaaaaaaa…   61.2 MB  (same requirements.txt)"


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (3100, "3.1 kB"), (2 * 10**9, "2.0 GB")])
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert messages.size(count) == text


@pytest.mark.parametrize(
    ("command", "argument"),
    [
        ("gunicorn app:app --bind 0.0.0.0:$PORT", "exec gunicorn app:app --bind 0.0.0.0:$PORT"),
        ("A=1 B=x/y python app.py", "A=1 B=x/y exec python app.py"),
        ("exec python app.py", "exec python app.py"),
        ("cd src && python app.py", "cd src && python app.py"),
        ("A='x y' python app.py", "A='x y' python app.py"),
        ("python app.py | tee log", "python app.py | tee log"),
    ],
)
def test_single_command_takes_the_place_of_its_shell(command: str, argument: str) -> None:
    assert processes.launched(command) == argument
