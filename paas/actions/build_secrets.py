"""Build secrets: values that an app's builds see as files, sealed in the database and never shown again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from paas.actions import apps, events
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.core import names
from paas.core.permissions import Permission
from paas.db.models import BuildSecret
from paas.errors import InvalidInput, NotFound

MIN_VALUE = 4
"""Shorter ones could not be taken out of a build's output without taking out innocent text."""
MAX_VALUE = 64 * 1024
MAX_SECRETS = 50


@dataclass(frozen=True)
class SecretInfo:
    name: str
    updated_at: datetime


def values(platform: Platform, session: Session, app_id: str) -> dict[str, str]:
    """In clear text, for a build."""
    rows = session.scalars(select(BuildSecret).where(BuildSecret.app_id == app_id).order_by(BuildSecret.name))
    return {row.name: platform.vault.open(row.sealed, _context(app_id, row.name)) for row in rows}


def _context(app_id: str, name: str) -> str:
    return f"{app_id}/build-secret/{name}"


def list_all(platform: Platform, actor: Actor, project: str, app: str) -> list[SecretInfo]:
    """The names."""
    with platform.db.read() as session:
        return _infos(session, apps.find(session, actor, Permission.config_read, project, app).id)


def _infos(session: Session, app_id: str) -> list[SecretInfo]:
    rows = session.scalars(select(BuildSecret).where(BuildSecret.app_id == app_id).order_by(BuildSecret.name))
    return [SecretInfo(row.name, row.updated_at) for row in rows]


def update(
    platform: Platform, actor: Actor, project: str, app: str, set_: Mapping[str, str], unset: list[str]
) -> list[SecretInfo]:
    """Set and unset at once; they count from the next build on. Raises InvalidInput, NotFound."""
    for name, value in set_.items():
        _check(name, value)
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.config_write, project, app)
        for name in unset:
            found = session.get(BuildSecret, (row.id, name))
            if found is None:
                raise NotFound(f"there is no build secret {name[:60]!r}", hint="See `paasctl builds secrets list`.")
            session.delete(found)
        for name, value in set_.items():
            sealed = platform.vault.seal(value, _context(row.id, name))
            session.merge(BuildSecret(app_id=row.id, name=name, sealed=sealed, updated_at=platform.now()))
        session.flush()
        infos = _infos(session, row.id)
        if len(infos) > MAX_SECRETS:
            raise InvalidInput(f"an app has at most {MAX_SECRETS} build secrets", field="set", hint="Remove some.")
        changed = ", ".join(sorted({*set_, *unset}))
        if changed:
            events.write(session, row.id, "api", [f"Build secrets: {changed} changed by {actor.name}"], platform.now())
    platform.signals.notify(row.id)
    return infos


def _check(name: str, value: str) -> None:
    names.check_config_name(name)
    if not MIN_VALUE <= len(value.encode("utf-8", "surrogateescape")) <= MAX_VALUE:
        raise InvalidInput(
            f"the value of {name} must have {MIN_VALUE} to {MAX_VALUE} bytes",
            field=name,
            hint="Shorter ones cannot be taken out of a build's output.",
        )
    if "\0" in value:
        raise InvalidInput(f"the value of {name} has a NUL byte", field=name, hint="Encode it, for example in base64.")
