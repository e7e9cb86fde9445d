"""The releases' line: which may be deployed now, within the limits and fair between projects, and claims of one."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from paas.actions import apps, events, leases, releases
from paas.actions.platform import Platform
from paas.core import builds, queues
from paas.core import releases as core
from paas.core.queues import Caps, Item
from paas.core.releases import Event, State
from paas.db.models import App, Release
from paas.errors import DeployFailed
from paas.ports import JobName

MAX_ATTEMPTS = builds.MAX_ATTEMPTS
PATIENCE = timedelta(minutes=5)
"""So long a part of the platform may be away at no cost to a release."""


def pending(platform: Platform) -> list[str]:
    """Ids of the releases that may be deployed now: of each app the newest."""
    with platform.db.read() as session:
        return queues.choose(_items(platform, session), _caps(platform))


def hand_out(platform: Platform) -> None:
    """Wake workers for what may be deployed now."""
    for release_id in pending(platform):
        platform.jobs.enqueue(JobName.releases_deploy, release_id)


def _caps(platform: Platform) -> Caps:
    return Caps(platform.settings.deploy_concurrency, platform.settings.deploys_per_project)


def _items(platform: Platform, session: Session) -> list[Item]:
    columns = (Release.id, Release.number, Release.app_id, Release.state, Release.not_before, App.project_id)
    query = select(*columns).join(App).where(Release.state.in_((State.pending, State.deploying)))
    rows = session.execute(query.where(App.is_deleting.is_(False)).order_by(Release.created_at, Release.number)).all()
    newest = {row.app_id: row.number for row in rows if row.state == State.pending}  # ordered: the last one wins
    now = platform.now()
    return [
        Item(
            id=row.id,
            number=row.number,
            app=row.app_id,
            project=row.project_id,
            running=row.state == State.deploying,
            ready=row.not_before is None or row.not_before <= now,
        )
        for row in rows
        if row.state == State.deploying or row.number == newest[row.app_id]
    ]


def claim(platform: Platform, release_id: str) -> int | None:
    """One at a time per app, the newest first: it supersedes older pending ones, since it holds all they held."""
    now = platform.now()
    with platform.db.write() as session:
        release = session.get(Release, release_id)
        if release is None or release.state != State.pending:
            return None
        busy = select(Release.id).where(Release.app_id == release.app_id, Release.lease_until >= now)
        live = apps.current_release(session, release.app_id)
        if live and live.number > release.number:
            releases.record_end(platform, session, release, Event.supersede, None)
            return None
        is_next = release_id in queues.choose(_items(platform, session), _caps(platform))
        if session.scalar(busy.limit(1)) or not is_next:
            return None
        older = Release.state == State.pending, Release.app_id == release.app_id, Release.number < release.number
        for other in session.scalars(select(Release).where(*older)):
            events.write(session, other.app_id, releases.source(other), [f"       v{release.number} is newer"], now)
            releases.record_end(platform, session, other, Event.supersede, None)
        release.state = core.advance(State(release.state), Event.claim)
        release.attempts += 1
        return leases.take(platform, release)


def retry_or_fail(platform: Platform, session: Session, release: Release, why: str, reason: str) -> None:
    """Back into the line, a bounded number of times; each wait doubles the whole."""
    now = platform.now()
    spent = now - release.created_at
    is_lost = reason == "WorkerLost"
    if not is_lost and spent < PATIENCE:
        release.attempts -= 1  # the release itself did nothing wrong
    if release.attempts >= MAX_ATTEMPTS:
        failed = DeployFailed(
            f"{why}, {release.attempts} times", reason=reason, stage="deploy", hint="Deploy again later."
        )
        releases.record_end(platform, session, release, Event.fail, failed)
        return
    release.state = core.advance(State(release.state), Event.lose)
    release.lease_until = None
    release.fence += 1
    release.not_before = None if is_lost else now + timedelta(seconds=queues.pause(spent.total_seconds()))
    if is_lost or release.message != why:  # one line, however often it is tried
        release.message = why
        line = f" !     {why}: trying again (attempt {release.attempts + 1} of {MAX_ATTEMPTS})"
        events.write(session, release.app_id, releases.source(release), [line], now)


def recover(platform: Platform) -> None:
    """Put back releases whose worker was lost, and hand out what is pending."""
    with platform.db.write() as session:
        lost = select(Release).where(Release.state == State.deploying, Release.lease_until < platform.now())
        rows = list(session.scalars(lost))
        for release in rows:
            retry_or_fail(platform, session, release, "the worker was lost", "WorkerLost")
    for release in rows:
        platform.signals.notify(release.app_id)
    hand_out(platform)
