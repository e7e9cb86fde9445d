"""Builders: which there are, and patched ones."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response

from paas.actions import access, builders
from paas.core.builders import BuilderInfo, Usage
from paas.core.permissions import Permission
from paas.ports import Say
from paas.web import render, streams
from paas.web.fields import Given, Name, Text
from paas.web.routes import Call, Noun

noun = Noun("builders")


class BuilderPath(Given):
    name: Name


class UpdateWanted(Given):
    version: Text = ""


class UsageQuery(Given):
    version: Text = ""


@noun.route("GET", "/builders")
def list_builders(call: Call) -> list[BuilderInfo]:
    """All builders with their versions."""
    return builders.list_all(call.platform, call.actor)


@noun.route("GET", "/builders/<name>")
def get_builder(call: Call, path: BuilderPath) -> BuilderInfo:
    """One builder."""
    return builders.get(call.platform, call.actor, path.name)


@noun.route("GET", "/builders/<name>/usage")
def get_usage(call: Call, path: BuilderPath, query: UsageQuery) -> Usage:
    """What a version says about itself: its S2I script `usage`, run in a sandbox."""
    release = call.slots.take(call.actor.user_id, f"builders/{path.name}/usage")
    try:
        return builders.usage(call.platform, call.actor, path.name, query.version)
    finally:
        release()


@noun.route("POST", "/builders/<name>/update")
def update_builder(call: Call, path: BuilderPath, body: UpdateWanted) -> Response:
    """Make a version anew with the packages of now: its lines, then what changed, as newline-delimited JSON."""
    access.authorise_platform(call.actor, Permission.platform_builders)
    builders.get(call.platform, call.actor, path.name)
    release = call.slots.take(call.actor.user_id, f"builders/{path.name}")

    def work(say: Say) -> int:
        done = builders.update(call.platform, call.actor, path.name, body.version, say)
        say(render.text(asdict(done)))
        return 0

    return streams.run(work, release)
