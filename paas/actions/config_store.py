"""An app's config as it is stored: sealed, one row per variable. Without permissions: `config` asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from paas.actions.platform import Platform
from paas.db.models import ConfigVar


@dataclass(frozen=True)
class ConfigItem:
    name: str
    value: str
    updated_at: datetime


def values(platform: Platform, session: Session, app_id: str) -> dict[str, str]:
    """The app's config in clear text."""
    return {item.name: item.value for item in items(platform, session, app_id)}


def items(platform: Platform, session: Session, app_id: str) -> list[ConfigItem]:
    """Sorted by name."""
    rows = session.scalars(select(ConfigVar).where(ConfigVar.app_id == app_id).order_by(ConfigVar.name))
    return [ConfigItem(r.name, platform.vault.open(r.sealed, f"{app_id}/{r.name}"), r.updated_at) for r in rows]


def replace_all(platform: Platform, session: Session, app_id: str, wanted: Mapping[str, str]) -> None:
    """Make the config exactly this."""
    before = values(platform, session, app_id)
    for name in before.keys() - wanted.keys():
        session.execute(delete(ConfigVar).where(ConfigVar.app_id == app_id, ConfigVar.name == name))
    for name, value in wanted.items():
        if before.get(name) != value:
            sealed = platform.vault.seal(value, f"{app_id}/{name}")
            session.merge(ConfigVar(app_id=app_id, name=name, sealed=sealed, updated_at=platform.now()))
