"""Runtime images: what the builder made is carried over to another image, and `assemble-runtime` finishes it there.

Which files, the owner says (`s2i build -a SOURCE[:FOLDER]`), or else the runtime image's label does.
"""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from paas.builder.job import Job
from paas.builder.stock.contract import Contract
from paas.errors import BuildFailed, InvalidInput, NotFound
from paas.oci.archive import TarWriter
from paas.oci.trees import Entry
from paas.ports import Sandbox

STAGE = "artifacts"
_IN_MEMORY, _PIECE = 8 << 20, 1 << 20


@dataclass(frozen=True)
class Artifact:
    """Something of the builder that the runtime image gets."""

    source: str
    """Absolute: a file or a folder."""
    folder: str
    """Relative: where it comes to lie, with its own name, below the runtime image's source folder."""


def artifacts(settings: Sequence[str], contract: Contract) -> tuple[Artifact, ...]:
    """What is carried over. Raises BuildFailed where a mapping cannot be understood, or there is none."""
    listed = [part.strip() for text in settings or (contract.input_files,) for part in text.split(";") if part.strip()]
    if not listed:
        raise _unfit(
            "nothing says what the runtime image gets",
            "Set runtime_artifacts, or the label io.openshift.s2i.assemble-input-files of the runtime image.",
        )
    return tuple(_parse(text) for text in listed)


def _parse(text: str) -> Artifact:
    source, _, folder = text.partition(":")
    if not source.startswith("/") or ".." in source.split("/") or posixpath.normpath(source) == "/":
        raise _unfit(f"the source of {text[:200]!r} is not an absolute path", "For example /opt/app-root/app:bin")
    if any(char in source for char in "*?["):
        raise _unfit(f"{text[:200]!r} has a wildcard", "Name the folder instead.")
    if folder.startswith("/") or ".." in folder.split("/") or ":" in folder:
        raise _unfit(f"the destination of {text[:200]!r} is not a relative path", "For example /opt/app-root/app:bin")
    plain = posixpath.normpath(folder or ".")
    return Artifact(posixpath.normpath(source), "" if plain == "." else plain)


@contextmanager
def carried(job: Job, sandbox: Sandbox, wanted: Sequence[Artifact], owner: int) -> Iterator[Iterator[bytes]]:
    """The tar of the folder `src` for the runtime image. Raises BuildFailed."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        writer = TarWriter(file.write)
        folders: set[str] = set()
        for artifact in wanted:
            below = f"src/{artifact.folder}".rstrip("/")
            for above in _above(below):
                if above not in folders:
                    folders.add(above)
                    writer.add(Entry(above, "dir", 0o775, uid=owner))
            try:
                _carry(sandbox, artifact, below, owner, writer)
            except InvalidInput as error:  # two artifacts want the same place
                raise _unfit(f"{artifact.source[:200]}: {error.message}", "Give it a folder of its own.") from error
            job.tools.check()
        writer.close()
        file.seek(0)
        yield iter(lambda: file.read(_PIECE), b"")


def _carry(sandbox: Sandbox, artifact: Artifact, below: str, owner: int, writer: TarWriter) -> None:
    top = posixpath.dirname(artifact.source).strip("/")
    skipped = len(top) + 1 if top else 0
    try:
        for entry, body in sandbox.read(artifact.source):
            target = f"{below}/{entry.target[skipped:]}" if entry.kind == "hardlink" else entry.target
            moved = replace(entry, path=f"{below}/{entry.path[skipped:]}", target=target, uid=owner, gid=0)
            writer.add(moved, body if entry.kind == "file" else None)
    except NotFound:
        raise BuildFailed(
            f"the builder made no {artifact.source[:200]}",
            reason="FetchRuntimeArtifactsFailed",
            stage=STAGE,
            hint="Compare runtime_artifacts with what assemble writes.",
        ) from None


def _above(path: str) -> Iterator[str]:
    names = path.split("/")
    for count in range(1, len(names) + 1):
        yield "/".join(names[:count])


def _unfit(message: str, hint: str) -> BuildFailed:
    return BuildFailed(message, reason="InvalidArtifactsMapping", stage="pull", hint=hint)
