"""Rebases: apps onto the newest version of their base."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import Field

from paas.actions import rebases
from paas.actions.rebases import RebaseInfo
from paas.core.rebases import DEFAULT_WAVES
from paas.web import render
from paas.web.fields import AppPath, Given, Number, Text
from paas.web.routes import Call, Noun

noun = Noun("rebases")


class RebaseWanted(Given):
    builder: Text = ""
    waves: Text = DEFAULT_WAVES
    max_failures: Annotated[int, Field(ge=0, le=100_000, strict=True)] = 0
    is_dry_run: bool = False


class RebasePath(Given):
    number: Number


@noun.route("POST", "/projects/<project>/apps/<app>/rebase")
def rebase_app(call: Call, path: AppPath) -> Response:
    """Move one app onto its base as it is now: 202 and the release, or 204 where it stands on that already."""
    return render.response(rebases.rebase_app(call.platform, call.actor, path.project, path.app), 202)


@noun.route("POST", "/rebases", status=202)
def start_rebase(call: Call, body: RebaseWanted) -> RebaseInfo:
    """Move all apps, or those of one builder, in waves."""
    return rebases.start(call.platform, call.actor, body.builder, body.waves, body.max_failures, is_dry=body.is_dry_run)


@noun.route("GET", "/rebases/last")
def get_last_rebase(call: Call) -> RebaseInfo:
    """The last rebase of many apps."""
    return rebases.get(call.platform, call.actor, None)


@noun.route("GET", "/rebases/<number>")
def get_rebase(call: Call, path: RebasePath) -> RebaseInfo:
    """A rebase of many apps: how far it is."""
    return rebases.get(call.platform, call.actor, path.number)
