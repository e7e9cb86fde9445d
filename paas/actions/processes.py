"""Processes: the running instances, scaling, and one-off runs."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import joinedload

from paas.actions import apps, deploys, events, releases
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.actions.releases import ReleaseInfo
from paas.core import processes
from paas.core.names import AppId
from paas.core.permissions import Permission
from paas.db.models import App
from paas.errors import Conflict, InvalidInput
from paas.ports import Say

MAX_COMMAND = 32 * 1024


@dataclass(frozen=True)
class InstanceInfo:
    name: str
    process: str
    index: int
    release: str
    state: str
    routed: bool
    restarts: int
    since: str
    address: str


@dataclass(frozen=True)
class Processes:
    formation: Mapping[str, int]
    items: list[InstanceInfo]


def list_all(platform: Platform, actor: Actor, project: str, app: str) -> Processes:
    with platform.db.read() as session:
        row = apps.find(session, actor, Permission.app_view, project, app)
        live = releases.base(session, row.id)
        formation = {name: spec["count"] for name, spec in live.processes.items()} if live else {}
    found = platform.driver().observe(AppId(row.id))
    items = [
        InstanceInfo(
            name=i.name,
            process=i.process,
            index=i.index,
            release=f"v{i.release}",
            state="stopped" if not i.running else "running" if i.routed or i.process != "web" else "starting",
            routed=i.routed,
            restarts=i.restarts,
            since=i.since,
            address=i.address,
        )
        for i in sorted(found, key=lambda i: (i.process, i.index, i.release))
    ]
    return Processes(formation, items)


def scale(platform: Platform, actor: Actor, project: str, app: str, formation: Mapping[str, int]) -> ReleaseInfo:
    """A release with other counts; running instances of the same image and config stay."""
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_scale, project, app)
        origin = releases.base(session, row.id)
        if origin is None:
            raise Conflict("there is nothing to scale yet", hint="Push first: git push paas main")
        row.formation = {**row.formation, **processes.check_formation(formation, origin.processes)}
        text = " ".join(f"{name}={count}" for name, count in formation.items())
        release = releases.derive(platform, session, row, origin, actor, "scale", f"Scale {text}")
        info = releases.info_of(session, release)
    releases.announce(platform, release)
    return info


def run(platform: Platform, actor: Actor, project: str, app: str, command: tuple[str, ...], say: Say) -> int:
    """Run a one-off process in the live image with the live config; its exit code. It ends with the call."""
    if not command or sum(map(len, command)) > MAX_COMMAND or any("\0" in part for part in command):
        raise InvalidInput(
            "the command is empty, too long or has a NUL byte", field="command", hint="paasctl run -- COMMAND"
        )
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_run, project, app)
        live = apps.current_release(session, row.id)
        if live is None:
            raise Conflict("nothing is live that could run it", hint="Push first: git push paas main")
        loaded = session.get_one(App, row.id, options=[joinedload(App.project)])
        spec = deploys.spec_of(platform, loaded, live)
        events.write(session, row.id, "api", [f"{actor.name} runs: {shlex.join(command)[:300]}"], platform.now())
    platform.signals.notify(row.id)
    argv = processes.one_off(command, [process.command for process in spec.processes])
    return platform.driver().run(deploys.run_spec(spec, f"run-{uuid.uuid4().hex}", argv), say)
