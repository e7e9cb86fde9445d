"""Build secrets at the places where a builder's scripts look for them (`s2i build --inject`).

They are files in memory that lie over the sandbox's own, so nothing of them can get into a layer, and there is
nothing to truncate afterwards as S2I must.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from contextlib import closing

from paas.builder import sandboxed
from paas.builder.bases import Base
from paas.builder.job import Job
from paas.builder.stock.contract import Contract
from paas.errors import BuildFailed, NotFound
from paas.ports import ORDINARY, Opening, Sandbox

STAGE = "assemble"


def opening(job: Job, base: Base, contract: Contract, user: str) -> Opening:
    """What the sandbox of `assemble` is given. Raises BuildFailed."""
    wanted = job.spec.settings.injections
    if not wanted:
        return ORDINARY
    folders = parse(wanted, contract.folder, job.spec.secrets)
    with sandboxed.opened(job, base.repository, base.digest, Opening(starts=False)) as sandbox:
        for folder in dict.fromkeys(folders.values()):
            _check_folder(sandbox, folder)
    places = {posixpath.join(folder, name): name for (name, _), folder in folders.items()}
    secrets = {name: job.spec.secrets[name].encode() for name in places.values()}
    return Opening(secrets=secrets, places=places, user=user)


def parse(wanted: Sequence[str], top: str, secrets: Mapping[str, str]) -> dict[tuple[str, int], str]:
    """`SECRET:FOLDER` each; a relative folder begins at the image's working directory. Raises BuildFailed."""
    found: dict[tuple[str, int], str] = {}
    for number, text in enumerate(wanted):
        name, colon, folder = text.partition(":")
        if name not in secrets:
            raise _unfit(text, "names no build secret", f"Set it: paasctl builds secrets set {name[:60]}=VALUE")
        if not colon or "\0" in folder or ".." in folder.split("/"):
            raise _unfit(text, "is not SECRET:FOLDER", "For example npm-token:/opt/app-root/etc")
        found[(name, number)] = posixpath.normpath(posixpath.join(top, folder))
    return found


def _check_folder(sandbox: Sandbox, folder: str) -> None:
    """S2I makes the folder itself, but not those above it."""
    if posixpath.dirname(folder) == "/":
        return
    try:
        with closing(sandbox.read(posixpath.dirname(folder))) as entries:
            for entry, _ in entries:
                if entry.kind == "dir":
                    return
                break
    except NotFound:
        pass
    raise _unfit(folder, "is not in the builder, nor is the folder above it", "Name one that the image has.")


def _unfit(text: str, what: str, hint: str) -> BuildFailed:
    return BuildFailed(
        f"the injection {text[:200]!r} {what}", reason="FileSystemOperationFailed", stage=STAGE, hint=hint
    )
