"""How many builds of an app stay: the newest of each kind, and those whose image may still be needed."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from paas.actions.platform import Platform
from paas.core import build_settings
from paas.core.builds import State
from paas.db.models import App, Build, ImageTag, Release

WINDOW = 10
"""Releases that one may roll back to without asking what is still there: their builds stay."""


def forget(platform: Platform) -> None:
    """Remove the builds beyond each app's limits. Their lines go with their days, their images with the next
    garbage collection."""
    with platform.db.read() as session:
        app_ids = list(session.scalars(select(App.id).where(App.is_deleting.is_(False))))
    for app_id in app_ids:
        with platform.db.read() as session:
            doomed = _beyond(platform, session, app_id)
        if doomed:
            _remove(platform, doomed)


def _beyond(platform: Platform, session: Session, app_id: str) -> list[str]:
    settings = build_settings.load(session.get_one(App, app_id).build_settings)
    kept = platform.settings.builds_kept
    good = _ended(session, app_id, (State.succeeded,))
    bad = _ended(session, app_id, (State.failed, State.cancelled))
    doomed = good[settings.keep_succeeded or kept :] + bad[settings.keep_failed or kept :]
    numbers, images = _needed(session, app_id)
    return [build.id for build in doomed if build.number not in numbers and build.image not in images]


def _ended(session: Session, app_id: str, states: tuple[State, ...]) -> list[Build]:
    mine = select(Build).where(Build.app_id == app_id, Build.state.in_(states))
    return list(session.scalars(mine.order_by(Build.number.desc())))


def _needed(session: Session, app_id: str) -> tuple[set[int], set[str]]:
    """Numbers of builds and images that the newest releases or a tag name."""
    releases = select(Release).where(Release.app_id == app_id).order_by(Release.number.desc()).limit(WINDOW)
    newest = list(session.scalars(releases))
    tagged = set(session.scalars(select(ImageTag.image).where(ImageTag.app_id == app_id)))
    last = select(Build.number).where(Build.app_id == app_id).order_by(Build.number.desc()).limit(1)
    numbers = {release.build_number for release in newest} | set(session.scalars(last))
    return numbers, ({release.image for release in newest} | tagged) - {""}


def _remove(platform: Platform, build_ids: list[str]) -> None:
    with platform.db.write() as session:
        session.execute(update(Release).where(Release.build_id.in_(build_ids)).values(build_id=None))
        for build in session.scalars(select(Build).where(Build.id.in_(build_ids))):
            session.delete(build)
