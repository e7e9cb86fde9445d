"""Sources: an untrusted tree becomes one canonical tar in the registry, found by its digest.

The stream is checked and rewritten entry by entry; nothing of it is unpacked on this machine.
"""

from __future__ import annotations

import hashlib
from typing import IO

from paas.actions.platform import Platform
from paas.actions.pushes import PushTarget
from paas.oci import archive
from paas.oci.archive import Limits
from paas.oci.digests import Digest
from paas.settings import Settings


def limits(settings: Settings) -> Limits:
    return Limits(max_bytes=settings.source_bytes, max_entries=settings.source_entries)


def store(platform: Platform, target: PushTarget, tar: IO[bytes]) -> str:
    """The digest of the stored source. Raises InvalidInput naming the entry that is not allowed, Unavailable."""
    digest = hashlib.sha256()
    with platform.registry.upload(f"apps/{target.app_id}") as upload:

        def sink(chunk: bytes) -> None:
            digest.update(chunk)
            upload.write(chunk)

        archive.canonical(tar, limits(platform.settings), sink, spool=platform.settings.state / "tmp")
        found = Digest(f"sha256:{digest.hexdigest()}")
        upload.commit(found)
    return found
