"""Keeps what runs equal to what the live releases say: an instance or a network that is gone comes back."""

from __future__ import annotations

import logging

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from paas.actions import apps, events, leases, releases
from paas.actions.deploys import spec_of
from paas.actions.platform import Platform
from paas.core import releases as core
from paas.core.names import AppId
from paas.core.releases import DeploySpec, State
from paas.db.models import App, Project, Release
from paas.errors import LostLease
from paas.ports import RouteSpec

log = logging.getLogger(__name__)


def repair(platform: Platform, app_id: str) -> bool:
    """Bring an app's instances to what its live release says; whether anything was to be done."""
    taken = _take_live(platform, app_id)
    if taken is None:
        return False
    spec, release_id, fence = taken
    driver = platform.driver()
    with leases.hold(platform, Release, release_id, fence) as lease:
        try:
            for step in core.plan(spec, driver.observe(spec.app_id)):
                lease.check()
                driver.apply(spec.app_id, step)
        finally:
            _give_back(platform, release_id, fence)
    return True


def is_drifted(platform: Platform, app_id: str) -> bool:
    """Do the app's instances differ from what its live release says?"""
    with platform.db.read() as session:
        release = apps.current_release(session, app_id)
        if release is None or releases.base(session, app_id) is not release:
            return False
        app = session.get_one(App, app_id, options=[joinedload(App.project)])
        spec = spec_of(platform, app, release)
    steps = core.plan(spec, platform.driver().observe(spec.app_id))
    return any(not isinstance(step, core.Route) or step.instance_ids for step in steps)


def _take_live(platform: Platform, app_id: str) -> tuple[DeploySpec, str, int] | None:
    now = platform.now()
    with platform.db.write() as session:
        release = apps.current_release(session, app_id)
        busy = select(Release.id).where(Release.app_id == app_id, Release.lease_until >= now)
        open_ = select(Release.id).where(Release.app_id == app_id, Release.state.in_((State.pending, State.deploying)))
        if release is None or session.scalar(busy.limit(1)) or session.scalar(open_.limit(1)):
            return None
        app = session.get_one(App, app_id, options=[joinedload(App.project)])
        return spec_of(platform, app, release), release.id, leases.take(platform, release)


def _give_back(platform: Platform, release_id: str, fence: int) -> None:
    with platform.db.write() as session:
        release = session.get(Release, release_id)
        if release and release.fence == fence:
            release.lease_until = None


def repair_all(platform: Platform) -> None:
    """Find and repair what drifted: an instance that was removed, a network that is gone."""
    with platform.db.read() as session:
        live = select(Release.app_id).join(App).where(Release.state == State.live, App.is_deleting.is_(False))
        app_ids = list(session.scalars(live.distinct()))
    for app_id in app_ids:
        try:
            _repair_one(platform, app_id)
        except Exception:
            log.exception("app %s is not repaired", app_id)  # and the others are


def _repair_one(platform: Platform, app_id: str) -> None:
    try:
        if not (is_drifted(platform, app_id) and repair(platform, app_id)):
            return
    except LostLease:
        return  # a deploy has taken it over
    with platform.db.write() as session:
        line = "Instances repaired: they had changed behind the platform"
        events.write(session, app_id, "api", [line], platform.now())
    platform.signals.notify(app_id)


def sweep(platform: Platform) -> None:
    """Remove what the engine holds for apps and projects that are no more. The engine is asked first: what is made
    meanwhile has its row already."""
    driver = platform.driver()
    held_apps, held_projects = driver.apps(), driver.projects()
    with platform.db.read() as session:
        known_apps = set(session.scalars(select(App.id).where(App.is_deleting.is_(False))))
        known_projects = set(session.scalars(select(Project.id)))
    for app_id in sorted(held_apps - known_apps):
        log.warning("app %s is no more: what is left of it is removed", app_id)
        driver.destroy(app_id)
    for app_id in sorted(held_apps & known_apps):
        _clear(platform, app_id)
    for project_id in sorted(held_projects - known_projects):
        log.warning("project %s is no more: what is left of it is removed", project_id)
        driver.destroy_project(project_id)


def _clear(platform: Platform, app_id: AppId) -> None:
    """Stop what failed releases left behind, where nothing is live or on its way to be."""
    observed = platform.driver().observe(app_id)
    with platform.db.read() as session:
        if releases.base(session, app_id):
            return
    for instance in observed:
        platform.driver().apply(app_id, core.Stop(instance.id, instance.name))


def restore_routes(platform: Platform) -> None:
    """Write the router's configuration anew from the database: at start, or when its files are lost."""
    with platform.db.read() as session:
        rows = list(session.execute(select(App.id, App.host).where(App.is_deleting.is_(False))))
    platform.driver().restore_routes([RouteSpec(AppId(app_id), (host,)) for app_id, host in rows])
