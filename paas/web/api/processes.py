"""Processes: instances, scale, one-off runs."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import Field

from paas.actions import apps, processes
from paas.actions.processes import Processes
from paas.actions.releases import ReleaseInfo
from paas.web import streams
from paas.web.fields import AppPath, Given, Name
from paas.web.routes import Call, Noun

noun = Noun("processes")


class Scale(Given):
    formation: Annotated[
        dict[Name, Annotated[int, Field(ge=0, le=1000, strict=True)]], Field(min_length=1, max_length=50)
    ]


class RunWanted(Given):
    command: Annotated[list[str], Field(min_length=1, max_length=1000)]


@noun.route("GET", "/projects/<project>/apps/<app>/processes")
def list_processes(call: Call, path: AppPath) -> Processes:
    """The formation, and the instances that there are."""
    return processes.list_all(call.platform, call.actor, path.project, path.app)


@noun.route("PATCH", "/projects/<project>/apps/<app>/processes", status=202)
def scale(call: Call, path: AppPath, body: Scale) -> ReleaseInfo:
    """Change how many instances of a process type run; the others stay."""
    return processes.scale(call.platform, call.actor, path.project, path.app, body.formation)


@noun.route("POST", "/projects/<project>/apps/<app>/runs")
def run(call: Call, path: AppPath, body: RunWanted) -> Response:
    """Run a one-off process: its lines and its exit code as newline-delimited JSON."""
    apps.get(call.platform, call.actor, path.project, path.app)
    release = call.slots.take(call.actor.user_id, f"{path.project}/{path.app}")
    command = tuple(body.command)
    return streams.run(
        lambda say: processes.run(call.platform, call.actor, path.project, path.app, command, say), release
    )
