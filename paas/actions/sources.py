"""Sources: an untrusted tree becomes one canonical tar in the registry, found by its digest.

The stream is checked and rewritten entry by entry; nothing of it is unpacked on this machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import cast

from paas.actions import apps
from paas.actions.access import Actor
from paas.actions.leases import Lease
from paas.actions.platform import Platform
from paas.core import sources as core
from paas.core.builds import BuildSpec
from paas.core.permissions import Permission
from paas.core.sources import GitLocation
from paas.db.models import Build
from paas.oci import archive
from paas.oci.archive import Limits
from paas.oci.digests import Digest
from paas.oci.streams import Readable
from paas.ports import Say
from paas.settings import Settings


def limits(settings: Settings) -> Limits:
    return Limits(max_bytes=settings.source_bytes, max_entries=settings.source_entries)


def store(platform: Platform, app_id: str, tar: Readable) -> str:
    """The digest of the stored source. Raises InvalidInput naming the entry that is not allowed, Unavailable."""
    digest = hashlib.sha256()
    with platform.registry.upload(f"apps/{app_id}") as upload:

        def sink(chunk: bytes) -> None:
            digest.update(chunk)
            upload.write(chunk)

        archive.canonical(tar, limits(platform.settings), sink, spool=platform.settings.state / "tmp")
        found = Digest(f"sha256:{digest.hexdigest()}")
        upload.commit(found)
    return found


@dataclass(frozen=True)
class SourceInfo:
    digest: str


def upload(platform: Platform, actor: Actor, project: str, app: str, tar: Readable) -> SourceInfo:
    """Store a folder that a user sent, for a build to name."""
    with platform.db.read() as session:
        row = apps.find(session, actor, Permission.app_deploy, project, app)
    return SourceInfo(store(platform, row.id, tar))


def git_location(settings: Settings, text: str) -> GitLocation:
    """What a user wrote. Raises InvalidInput."""
    return core.parse_git(text, settings.git_hosts.split())


def ensure(platform: Platform, spec: BuildSpec, lease: Lease, say: Say) -> BuildSpec:
    """The spec with its source: one that comes by git is fetched, and its commit recorded on the build."""
    if spec.source_digest or spec.source_image:
        return spec
    with platform.db.read() as session:
        location = git_location(platform.settings, session.get_one(Build, spec.id).source_location)
    found = platform.fetch_git(spec, location, lambda tar: store(platform, spec.app_id, tar), say, lease.check)
    with platform.db.write() as session:
        build = cast(Build, lease.guard(session))
        build.source_digest, build.commit = found.digest, found.commit
        build.commit_author, build.commit_message = found.author, found.message
    say(f"       {found.commit[:12]} {found.message}")
    return replace(spec, source_digest=found.digest, commit=found.commit, author=found.author, message=found.message)
