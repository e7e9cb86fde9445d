"""Commits of the app's own repository."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from paas.actions import pushes
from paas.git import history
from paas.git.history import CommitInfo
from paas.web.fields import AppPath, Given
from paas.web.routes import Call, Noun

noun = Noun("commits")


class CommitQuery(Given):
    limit: Annotated[int, Field(ge=1, le=history.MAX_LIMIT)] = 50


@noun.route("GET", "/projects/<project>/apps/<app>/commits")
def list_commits(call: Call, path: AppPath, query: CommitQuery) -> list[CommitInfo]:
    """The deploy branch's newest commits."""
    target = pushes.target(call.platform, call.actor, path.project, path.app, write=False)
    return history.log(call.platform.settings, target, query.limit)
