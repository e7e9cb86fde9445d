"""An app's build settings: they count from the next build on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from paas.actions import apps, events
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.core import build_settings
from paas.core.build_settings import Maxima
from paas.core.builds import BuildSettings
from paas.core.permissions import Permission
from paas.db.models import App
from paas.settings import Settings


@dataclass(frozen=True)
class BuildSettingsInfo:
    settings: Mapping[str, Any]
    """All of them."""
    changed: list[str]
    """Those that are not at their default."""
    maxima: Mapping[str, int]
    """The operator's."""


def maxima(settings: Settings) -> Maxima:
    """Never under the operator's own defaults."""
    return Maxima(
        timeout=max(settings.build_timeout_max, settings.build_timeout),
        memory=max(settings.build_memory_max, settings.build_memory),
        cpus=max(settings.build_cpus_max, settings.build_cpus),
        disk=max(settings.build_disk_max, settings.build_disk),
    )


def get(platform: Platform, actor: Actor, project: str, app: str) -> BuildSettingsInfo:
    with platform.db.read() as session:
        return _info(platform, apps.find(session, actor, Permission.app_view, project, app))


def update(
    platform: Platform, actor: Actor, project: str, app: str, set_: Mapping[str, object], unset: list[str]
) -> BuildSettingsInfo:
    """Set and unset at once. Raises InvalidInput naming the field."""
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_update, project, app)
        before = build_settings.load(row.build_settings)
        wanted = build_settings.change(before, set_, unset, maxima(platform.settings))
        return _store(platform, session, row, actor, wanted)


def replace(
    platform: Platform, actor: Actor, project: str, app: str, settings: Mapping[str, object]
) -> BuildSettingsInfo:
    """Exactly these; everything else at its default."""
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_update, project, app)
        wanted = build_settings.change(BuildSettings(), settings, [], maxima(platform.settings))
        return _store(platform, session, row, actor, wanted)


def _store(platform: Platform, session: Session, row: App, actor: Actor, wanted: BuildSettings) -> BuildSettingsInfo:
    before, after = row.build_settings, build_settings.plain(wanted)
    changed = sorted(name for name in after.keys() | before.keys() if after.get(name) != before.get(name))
    if changed:
        row.build_settings = after
        line = f"Build settings: {', '.join(changed)} set by {actor.name}"
        events.write(session, row.id, "api", [line], platform.now())
    return _info(platform, row)


def _info(platform: Platform, row: App) -> BuildSettingsInfo:
    settings = build_settings.load(row.build_settings)
    return BuildSettingsInfo(asdict(settings), sorted(row.build_settings), asdict(maxima(platform.settings)))
