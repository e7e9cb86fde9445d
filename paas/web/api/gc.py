"""Garbage collection."""

from __future__ import annotations

from paas.actions import gc
from paas.actions.gc import Collection
from paas.web.fields import Given
from paas.web.routes import Call, Noun

noun = Noun("gc")


class CollectionWanted(Given):
    is_dry_run: bool = False


@noun.route("POST", "/gc")
def collect_garbage(call: Call, body: CollectionWanted) -> Collection:
    """Remove what nothing needs, or tell what would be, each with its reason."""
    return gc.collect(call.platform, call.actor, is_dry_run=body.is_dry_run)
