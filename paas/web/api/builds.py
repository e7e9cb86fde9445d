"""Builds."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from paas.actions import build_requests, builds
from paas.actions.builds import BuildInfo
from paas.errors import InvalidInput
from paas.web.fields import AppPath, Given, Number, NumberPath, Paging, Text
from paas.web.routes import Call, Noun

noun = Noun("builds")
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class BuildWanted(Given):
    from_build: Number | None = None
    source: Digest | None = None
    git: Text | None = None
    image: Text | None = None
    message: Text = ""
    no_cache: bool = False


@noun.route("GET", "/projects/<project>/apps/<app>/builds")
def list_builds(call: Call, path: AppPath, query: Paging) -> list[BuildInfo]:
    """Newest first; give the last one's number as `before` for more."""
    return builds.list_all(call.platform, call.actor, path.project, path.app, query.before, query.limit)


@noun.route("POST", "/projects/<project>/apps/<app>/builds", status=202)
def create_build(call: Call, path: AppPath, body: BuildWanted) -> BuildInfo:
    """Build the last source again, that of another build, an uploaded one, one from git, or deploy an image."""
    given = [name for name in ("from_build", "source", "git", "image") if getattr(body, name) is not None]
    if len(given) > 1:
        raise InvalidInput(f"{' and '.join(given)} are two sources", field=given[1], hint="Give one.")
    if not given or body.from_build:
        return builds.rebuild(
            call.platform, call.actor, path.project, path.app, body.from_build, no_cache=body.no_cache
        )
    wanted = build_requests.Wanted(body.source, body.git, body.image, body.message, body.no_cache)
    return build_requests.create(call.platform, call.actor, path.project, path.app, wanted)


@noun.route("POST", "/projects/<project>/apps/<app>/builds/<number>/retry", status=202)
def retry_build(call: Call, path: NumberPath) -> BuildInfo:
    """Build the same source with the same settings as an ended build once more."""
    return builds.retry(call.platform, call.actor, path.project, path.app, path.number)


@noun.route("GET", "/projects/<project>/apps/<app>/builds/<number>")
def get_build(call: Call, path: NumberPath) -> BuildInfo:
    """One build."""
    return builds.get(call.platform, call.actor, path.project, path.app, path.number)


@noun.route("POST", "/projects/<project>/apps/<app>/builds/<number>/cancel", status=202)
def cancel_build(call: Call, path: NumberPath) -> BuildInfo:
    """Stop a build that waits or runs."""
    return builds.cancel(call.platform, call.actor, path.project, path.app, path.number)
