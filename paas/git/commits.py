"""Reads a pushed commit, also while its objects wait in quarantine: by its 40-hex name only, as streams."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from paas import programs
from paas.errors import InvalidInput
from paas.git import commands
from paas.git.refs import HEX
from paas.git.terminal import clean
from paas.oci import trees
from paas.settings import Settings

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ARCHIVE_SECONDS = 900.0
LFS = b"version https://git-lfs.github.com/spec/"
LFS_SIZES = range(100, 1024)
MOST_POINTERS = 200
_FORMAT = "--format=%T%x00%<(80,trunc)%an%x00%<(80,trunc)%ae%x00%<(400,trunc)%s"


@dataclass(frozen=True)
class Objects:
    """Where to read: a repository and, during a push, its quarantine."""

    settings: Settings
    repository: Path
    quarantine: Mapping[str, str]


@dataclass(frozen=True)
class Commit:
    id: str
    tree: str
    author: str
    message: str


def read(objects: Objects, commit: str) -> Commit:
    """The commit. Raises InvalidInput where it is none or holds no files."""
    if not HEX.fullmatch(commit) or _run(objects, "cat-file", "-t", commit).strip() != b"commit":
        raise InvalidInput("what was pushed is not a commit", field="ref", hint="Push a branch.")
    # --no-walk: the parents of a shallow push are not here
    facts = _run(objects, "log", "--no-walk", _FORMAT, "--end-of-options", commit).split(b"\0", 3)
    tree, name, mail, message = (_text(fact) for fact in facts)
    if tree == EMPTY_TREE:
        raise InvalidInput("the commit holds no files", field="ref", hint="Add the app's files, commit, push again.")
    return Commit(commit, tree, f"{name} <{mail}>", message)


def _text(raw: bytes) -> str:
    return clean(raw.decode("utf-8", "replace").strip())


def _run(objects: Objects, *arguments: str) -> bytes:
    finished = commands.run(objects.settings, objects.repository, *arguments, extra=objects.quarantine)
    return commands.check(finished, f"git {arguments[0]}")


@contextmanager
def archive(objects: Objects, commit: Commit) -> Iterator[IO[bytes]]:
    """The commit's tree as a tar stream. Raises InvalidInput where git cannot read all of it."""
    with _stream(objects, "archive", "--format=tar", commit.id) as (process, output):
        yield output
        while output.read(65536):
            pass
        if process.wait(ARCHIVE_SECONDS):
            raise unreadable()


def unreadable() -> InvalidInput:
    return InvalidInput("git cannot read all files of the commit", field="ref", hint="Run `git fsck`, push again.")


@contextmanager
def _stream(objects: Objects, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    process = programs.start(
        commands.argv(objects.repository, *arguments),
        cwd=objects.repository,
        env=commands.environment(objects.settings, objects.quarantine),
        memory=commands.MEMORY,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        programs.kill(process)
        process.stdout.close()


def survey(objects: Objects, commit: Commit) -> list[str]:
    """Warnings about what does not arrive as its author may expect: submodules, Git LFS pointers.

    `git archive` reads the whole tree into memory before its first byte, so a tree over the limits is refused
    here, while it streams. Raises InvalidInput.
    """
    modules: list[str] = []
    small: list[tuple[str, str]] = []
    count = total = 0
    for mode, name, size, path in _entries(objects, commit):
        count, total = count + 1, total + size
        _check_limits(objects.settings, count, total)
        if mode == "160000":
            modules.append(path)
        elif size in LFS_SIZES and len(small) < MOST_POINTERS:
            small.append((name, path))
    told = [f" !     {clean(path)} is a submodule: its files are not pushed, it stays empty." for path in modules[:5]]
    pointer = _first_pointer(objects, commit, small)
    if pointer:
        told.append(f" !     {clean(pointer)} is a Git LFS pointer: the app gets the pointer, not the file.")
    return told


def _check_limits(settings: Settings, count: int, total: int) -> None:
    if count > settings.source_entries:
        raise InvalidInput(f"the commit holds more than {settings.source_entries} files and folders", hint=trees.ASK)
    if total > settings.source_bytes:
        raise InvalidInput(f"the commit's files are over {settings.source_bytes} bytes in all", hint=trees.ASK)


def _entries(objects: Objects, commit: Commit) -> Iterator[tuple[str, str, int, str]]:
    """(mode, object, size, path) of every file and folder, as git lists them."""
    with _stream(objects, "ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit.tree) as (process, output):
        rest = b""
        while piece := output.read(65536):
            *lines, rest = (rest + piece).split(b"\0")
            for line in lines:
                facts, _, path = line.partition(b"\t")
                mode, _kind, name, size = facts.decode().split()
                yield mode, name, int(size) if size.isdigit() else 0, path.decode("utf-8", "replace")
        if process.wait(ARCHIVE_SECONDS):
            raise unreadable()


def _first_pointer(objects: Objects, commit: Commit, small: list[tuple[str, str]]) -> str:
    """The path of a file that is an LFS pointer; looked for only where the tree's attributes speak of LFS."""
    attributes = commands.run(
        objects.settings,
        objects.repository,
        "cat-file",
        "blob",
        f"{commit.id}:.gitattributes",
        extra=objects.quarantine,
    )
    if b"filter=lfs" not in attributes.stdout:
        return ""
    for name, path in small:
        if _run(objects, "cat-file", "blob", name).startswith(LFS):
            return path
    return ""
