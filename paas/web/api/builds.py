"""Builds."""

from __future__ import annotations

from paas.actions import builds
from paas.actions.builds import BuildInfo
from paas.web.fields import AppPath, NumberPath, Paging
from paas.web.routes import Call, Noun

noun = Noun("builds")


@noun.route("GET", "/projects/<project>/apps/<app>/builds")
def list_builds(call: Call, path: AppPath, query: Paging) -> list[BuildInfo]:
    """Newest first; give the last one's number as `before` for more."""
    return builds.list_all(call.platform, call.actor, path.project, path.app, query.before, query.limit)


@noun.route("POST", "/projects/<project>/apps/<app>/builds", status=202)
def create_build(call: Call, path: AppPath) -> BuildInfo:
    """Build the last source again."""
    return builds.rebuild(call.platform, call.actor, path.project, path.app)


@noun.route("GET", "/projects/<project>/apps/<app>/builds/<number>")
def get_build(call: Call, path: NumberPath) -> BuildInfo:
    """One build."""
    return builds.get(call.platform, call.actor, path.project, path.app, path.number)


@noun.route("POST", "/projects/<project>/apps/<app>/builds/<number>/cancel", status=202)
def cancel_build(call: Call, path: NumberPath) -> BuildInfo:
    """Stop a build that waits or runs."""
    return builds.cancel(call.platform, call.actor, path.project, path.app, path.number)
