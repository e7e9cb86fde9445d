"""Incremental builds: what `save-artifacts` of the last image writes lies in `artifacts` for the next `assemble`.

All of it may fail without harm: then the build is a clean one, and says so.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import cast

from paas.builder import messages, sandboxed
from paas.builder.job import Job
from paas.builder.stock import scripts
from paas.builder.stock.contract import Contract
from paas.core.builds import Strategy
from paas.errors import BuildFailed, InvalidInput, NotFound
from paas.oci import archive
from paas.oci.archive import CHANGES, TarWriter
from paas.oci.digests import parse_digest
from paas.oci.streams import Readable
from paas.ports import Sandbox

STAGE = "save-artifacts"
FOLDER = "artifacts"
_TAR = "/tmp/saved-artifacts.tar"  # noqa: S108 - inside the sandbox
_TO_FILE = 'exec "$0" > "$1"'
_LIMITS = archive.Limits(max_bytes=4 << 30, max_entries=500_000)
_IN_MEMORY, _PIECE = 8 << 20, 1 << 20


@contextmanager
def saved(job: Job, contract: Contract, user: str) -> Iterator[Iterator[bytes] | None]:
    """The tar of the folder `artifacts`; None for a clean build."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        why = _why_clean(job)
        if not why:
            try:
                _save(job, contract, user, TarWriter(file.write))
            except (BuildFailed, NotFound, InvalidInput) as error:
                job.tools.check()
                why = error.message
        if why:
            job.say(messages.detail(f"A clean build: {why}"))
            yield None
            return
        file.seek(0)
        yield iter(lambda: file.read(_PIECE), b"")


def _why_clean(job: Job) -> str:
    previous = job.spec.previous
    if job.spec.no_cache:
        return "nothing kept is used (--no-cache)"
    if previous is None:
        return "there is no earlier one"
    if previous.strategy != Strategy.s2i:
        return f"the last one was made by {previous.strategy}"
    return ""


def _save(job: Job, contract: Contract, user: str, writer: TarWriter) -> None:
    """Write what the last image's script gives. Raises BuildFailed, NotFound, InvalidInput."""
    previous = job.spec.previous
    assert previous is not None
    job.say(messages.step(f"Saving artifacts of build {previous.number}"))
    with sandboxed.opened(job, job.repository, parse_digest(previous.image)) as sandbox:
        found = scripts.put(job, sandbox, contract, user, (scripts.SAVE,))
        script = found.path(scripts.SAVE)
        sandboxed.run_program(job, sandbox, ("/bin/sh", "-c", _TO_FILE, script, _TAR), user, STAGE, script)
        _take(sandbox, writer, scripts.owner(user))


def _take(sandbox: Sandbox, writer: TarWriter, owner: int) -> None:
    """The script's tar, judged and written anew below the folder."""
    writer.add(archive.Entry(FOLDER, "dir", 0o775, uid=owner))
    with closing(sandbox.read(_TAR)) as entries:
        for entry, body in entries:
            if entry.kind != "file" or not entry.size:
                raise InvalidInput("save-artifacts wrote nothing")
            for inner, content in archive.read_entries(cast(Readable, body), _LIMITS, CHANGES):
                target = f"{FOLDER}/{inner.target}" if inner.kind == "hardlink" else inner.target
                moved = replace(inner, path=f"{FOLDER}/{inner.path}", target=target, uid=owner, gid=0)
                writer.add(moved, content)
    writer.close()
