"""Releases."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from paas.actions import releases
from paas.actions.releases import ReleaseInfo
from paas.web.fields import MAX_NUMBER, AppPath, Given, NumberPath, Paging
from paas.web.routes import Call, Noun

noun = Noun("releases")


class RollbackWanted(Given):
    rollback_to: Annotated[int, Field(ge=1, le=MAX_NUMBER, strict=True)]


@noun.route("GET", "/projects/<project>/apps/<app>/releases")
def list_releases(call: Call, path: AppPath, query: Paging) -> list[ReleaseInfo]:
    """Newest first; give the last one's number as `before` for more."""
    return releases.list_all(call.platform, call.actor, path.project, path.app, query.before, query.limit)


@noun.route("POST", "/projects/<project>/apps/<app>/releases", status=202)
def create_release(call: Call, path: AppPath, body: RollbackWanted) -> ReleaseInfo:
    """Roll back: a new release with the image and config of an earlier one."""
    return releases.rollback(call.platform, call.actor, path.project, path.app, body.rollback_to)


@noun.route("GET", "/projects/<project>/apps/<app>/releases/<number>")
def get_release(call: Call, path: NumberPath) -> ReleaseInfo:
    """One release."""
    return releases.get(call.platform, call.actor, path.project, path.app, path.number)
