"""Builders: which there are, and a patched one. Apps move onto it by `rebases`, or with their next build."""

from __future__ import annotations

from paas.actions import access
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.core.builders import BuilderInfo, Updated, Usage
from paas.core.permissions import Permission
from paas.errors import NotFound
from paas.ports import Say


def list_all(platform: Platform, actor: Actor) -> list[BuilderInfo]:
    """Any user may see them: they are the same for all."""
    return platform.builders().list_all()


def get(platform: Platform, actor: Actor, name: str) -> BuilderInfo:
    """Raises NotFound."""
    found = {builder.name: builder for builder in list_all(platform, actor)}
    if name not in found:
        raise NotFound(f"there is no builder {name!r}", hint=f"There are: {', '.join(found)}.")
    return found[name]


def usage(platform: Platform, actor: Actor, name: str, version: str) -> Usage:
    """The words of its S2I script `usage`. Raises NotFound, Conflict where its images are not made yet."""
    return Usage(platform.builders().usage(name, version))


def update(platform: Platform, actor: Actor, name: str, version: str, say: Say) -> Updated:
    """Make a version of a builder anew with the packages of now, telling its steps. Platform admins only."""
    access.authorise_platform(actor, Permission.platform_builders)
    return platform.builders().update(name, version, say)
