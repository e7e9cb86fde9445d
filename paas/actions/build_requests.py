"""Builds that a user asks for by naming a source: an uploaded folder, a repository, or an image."""

from __future__ import annotations

from dataclasses import dataclass

from paas.actions import apps, builds, sources
from paas.actions.access import Actor
from paas.actions.builds import BuildInfo, Cause, Push
from paas.actions.platform import Platform
from paas.core.permissions import Permission
from paas.errors import NotFound
from paas.oci import references
from paas.oci.digests import parse_digest


@dataclass(frozen=True)
class Wanted:
    """One of the first three."""

    source: str | None = None
    """Digest of a source that this app has."""
    git: str | None = None
    """`URL[#REF]`"""
    image: str | None = None
    message: str = ""
    no_cache: bool = False


def create(platform: Platform, actor: Actor, project: str, app: str, wanted: Wanted) -> BuildInfo:
    """Queue it. Raises InvalidInput, NotFound."""
    with platform.db.read() as session:
        app_id = apps.find(session, actor, Permission.app_deploy, project, app).id
    push = _push(platform, app_id, wanted)
    cause = Cause("manual", wanted.message, wanted.no_cache)
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_deploy, project, app)
        build = builds.queue(platform, session, row, actor.user_id, push, cause)
        info = builds.info_of(platform, session, build)
    builds.announce(platform, build)
    return info


def _push(platform: Platform, app_id: str, wanted: Wanted) -> Push:
    if wanted.git:
        location = sources.git_location(platform.settings, wanted.git)
        return Push("", location.ref, message=wanted.message, kind="git", location=str(location))
    if wanted.image:
        return Push("", message=wanted.message, kind="image", location=str(references.parse(wanted.image)))
    digest = parse_digest(wanted.source or "")
    if not platform.registry.has_blob(f"apps/{app_id}", digest):
        raise NotFound("this app has no such source", hint="Upload it first: paasctl deploy --from-dir DIR")
    return Push(digest, message=wanted.message, kind="directory")
