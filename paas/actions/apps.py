"""Apps: what a tenant builds and runs in a project."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy import update as update_rows
from sqlalchemy.orm import Session, joinedload

from paas.actions import access
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.core import builds as core_builds
from paas.core import names
from paas.core import releases as core_releases
from paas.core.names import AppId
from paas.core.permissions import Permission
from paas.db.models import App, Build, Member, Project, Release
from paas.errors import Conflict, InvalidInput, NotFound
from paas.oci import references
from paas.settings import Settings

BRANCH = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_./]{0,199}")


@dataclass(frozen=True)
class AppInfo:
    name: str
    project: str
    url: str
    git_url: str
    image: str | None
    release: str | None
    state: str
    """empty, building, deploying, live, failed, stopped"""
    builder: str
    deploy_branch: str
    formation: Mapping[str, int]
    created_at: datetime


def find(session: Session, actor: Actor, permission: Permission, project: str, app: str) -> App:
    """The app, if the actor may do this to it. Raises NotFound, Forbidden."""
    owner = access.authorise(session, actor, permission, project)
    row = session.scalar(
        select(App).where(App.project_id == owner.id, App.name == app).options(joinedload(App.project))
    )
    if row is None or row.is_deleting:
        raise NotFound(f"there is no app {app[:60]!r} in {project!r}", hint="List them with `paasctl apps list`.")
    return row


def create(platform: Platform, actor: Actor, project: str, name: str, builder: str, deploy_branch: str) -> AppInfo:
    """An empty app, ready for its first push. Raises Conflict, InvalidInput."""
    names.check_name(name, "app")
    _check_builder(platform.settings, builder)
    _check_branch(deploy_branch)
    host = f"{names.host_label(name, project)}.{platform.settings.domain}"
    with platform.db.write() as session:
        owner = access.authorise(session, actor, Permission.app_create, project)
        if session.scalar(select(App.id).where(App.project_id == owner.id, App.name == name)):
            raise Conflict(f"there is an app {name!r} in {project!r} already", hint="Choose another name.")
        if session.scalar(select(App.id).where(App.host == host)):
            raise Conflict(f"the host name {host} is taken by another app", hint="Choose another name.")
        app = App(project_id=owner.id, name=name, host=host, builder=builder, deploy_branch=deploy_branch)
        app.created_at = platform.now()
        app.formation = {}
        session.add(app)
        session.flush()
        app.project = owner
        return _info(platform.settings, session, app)


def _check_builder(settings: Settings, builder: str) -> None:
    """`NAME`, `NAME:VERSION`, or the reference of an S2I builder image from elsewhere."""
    if "/" in builder:
        references.parse(builder)
        return
    known = sorted(path.parent.name for path in settings.builders.glob("*/builder.toml"))
    if builder and builder.partition(":")[0] not in known:
        raise InvalidInput(
            f"there is no builder {builder[:40]!r}", field="builder", hint=f"There are: {', '.join(known)}."
        )


def _check_branch(branch: str) -> None:
    """git-check-ref-format's rules, narrowed."""
    bad = not BRANCH.fullmatch(branch) or ".." in branch or "//" in branch or branch.endswith((".lock", ".", "/"))
    if bad:
        raise InvalidInput(f"{branch[:60]!r} is not a branch name", field="deploy_branch", hint="For example: main")


def list_all(platform: Platform, actor: Actor, project: str | None) -> list[AppInfo]:
    """The apps of a project, or of all projects that the actor may see."""
    with platform.db.read() as session:
        query = select(App).join(Project).where(App.is_deleting.is_(False)).options(joinedload(App.project))
        if project is not None:
            query = query.where(App.project_id == access.authorise(session, actor, Permission.app_view, project).id)
        elif not actor.is_admin:
            query = query.join(Member, Member.project_id == Project.id).where(Member.user_id == actor.user_id)
        rows = session.scalars(query.order_by(Project.name, App.name))
        return [_info(platform.settings, session, row) for row in rows]


def get(platform: Platform, actor: Actor, project: str, name: str) -> AppInfo:
    with platform.db.read() as session:
        return _info(platform.settings, session, find(session, actor, Permission.app_view, project, name))


def update(
    platform: Platform, actor: Actor, project: str, name: str, builder: str | None, deploy_branch: str | None
) -> AppInfo:
    """Change how the app is built, from its next build on."""
    with platform.db.write() as session:
        app = find(session, actor, Permission.app_update, project, name)
        if builder is not None:
            _check_builder(platform.settings, builder)
            app.builder = builder
        if deploy_branch is not None:
            _check_branch(deploy_branch)
            app.deploy_branch = deploy_branch
        return _info(platform.settings, session, app)


def delete(platform: Platform, actor: Actor, project: str, name: str) -> None:
    """Remove the app, its instances, its route and its repository. It can be called again after a crash."""
    with platform.db.write() as session:
        owner = access.authorise(session, actor, Permission.app_delete, project)
        app = session.scalar(select(App).where(App.project_id == owner.id, App.name == name))
        if app is None:
            raise NotFound(f"there is no app {name[:60]!r} in {project!r}", hint="List them with `paasctl apps list`.")
        app.is_deleting = True
        app_id = app.id
        _take_over(session, app_id)
    _remove(platform, app_id)


def _take_over(session: Session, app_id: str) -> None:
    """Whoever builds or deploys the app has lost it from here on, and nobody begins anew."""
    for model in (Build, Release):
        held = update_rows(model).where(model.app_id == app_id, model.lease_until.is_not(None))
        session.execute(held.values(fence=model.fence + 1, lease_until=None))


def _remove(platform: Platform, app_id: str) -> None:
    platform.driver().destroy(AppId(app_id))
    shutil.rmtree(platform.settings.repositories / f"{app_id}.git", ignore_errors=True)
    with platform.db.write() as session:
        row = session.get(App, app_id)
        if row:
            session.query(Release).filter(Release.app_id == app_id).delete()
            session.delete(row)
    platform.driver().destroy(AppId(app_id))  # once more: a deploy may have been in the middle of a step


def finish_deletes(platform: Platform) -> None:
    """Remove the rest of apps whose removal was cut off."""
    with platform.db.read() as session:
        app_ids = list(session.scalars(select(App.id).where(App.is_deleting.is_(True))))
    for app_id in app_ids:
        _remove(platform, app_id)


def _info(settings: Settings, session: Session, app: App) -> AppInfo:
    live = current_release(session, app.id)
    project = app.project.name
    return AppInfo(
        name=app.name,
        project=project,
        url=f"http://{app.host}:{settings.port}",
        git_url=f"{settings.api_url}/git/{project}/{app.name}.git",
        image=image_reference(settings, app.id, live.image) if live else None,
        release=f"v{live.number}" if live else None,
        state=_state(session, app, live),
        builder=app.builder,
        deploy_branch=app.deploy_branch,
        formation={process: spec["count"] for process, spec in live.processes.items()} if live else {},
        created_at=app.created_at,
    )


def image_reference(settings: Settings, app_id: str, digest: str) -> str:
    return f"{settings.registry_host}/apps/{app_id}@{digest}"


def current_release(session: Session, app_id: str) -> Release | None:
    """The live one."""
    query = select(Release).where(Release.app_id == app_id, Release.state == core_releases.State.live)
    return session.scalar(query.order_by(Release.number.desc()).limit(1))


def _state(session: Session, app: App, live: Release | None) -> str:
    release = session.scalar(select(Release).where(Release.app_id == app.id).order_by(Release.number.desc()).limit(1))
    build = session.scalar(select(Build).where(Build.app_id == app.id).order_by(Build.number.desc()).limit(1))
    if build and not core_builds.State(build.state).is_final:
        return "building"
    if release and release.state in (core_releases.State.pending, core_releases.State.deploying):
        return "deploying"
    if live:
        return "live" if any(spec["count"] for spec in live.processes.values()) else "stopped"
    return "failed" if release or build else "empty"
