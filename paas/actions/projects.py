"""Projects: the unit of tenancy, each with members and a network of its own."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from paas.actions import access
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.core import names
from paas.core.names import ProjectId
from paas.core.permissions import Permission
from paas.db.models import App, Member, Project
from paas.errors import Conflict, InvalidInput, QuotaExceeded
from paas.settings import Settings

MAX_BUILDS = 1000


@dataclass(frozen=True)
class ProjectInfo:
    name: str
    role: str
    """The asker's."""
    apps: int
    build_limit: int
    """Builds at the same time; 0: the operator's default."""
    created_at: datetime


def create(platform: Platform, actor: Actor, name: str) -> ProjectInfo:
    """A project whose admin is its creator. Raises Conflict, InvalidInput, QuotaExceeded."""
    names.check_name(name, "project")
    with platform.db.write() as session:
        if session.scalar(select(Project.id).where(Project.name == name)):
            raise Conflict(f"the project name {name!r} is taken", hint="Choose another name.")
        project = Project(name=name, subnet=_free_subnet(session, platform.settings), created_at=platform.now())
        session.add(project)
        session.flush()
        session.add(Member(project_id=project.id, user_id=actor.user_id, role="admin"))
    return ProjectInfo(name, "admin", 0, 0, project.created_at)


def _free_subnet(session: Session, settings: Settings) -> int:
    """Number 0 is left for the sandboxes' network."""
    taken = set(session.scalars(select(Project.subnet)))
    total = 2 ** (24 - ipaddress.ip_network(settings.network_pool).prefixlen)
    for number in range(1, total):
        if number not in taken:
            return number
    raise QuotaExceeded(
        f"all {total - 1} networks of {settings.network_pool} are in use", hint="Set a larger PAAS_NETWORK_POOL."
    )


def subnet(settings: Settings, number: int) -> str:
    """The project's network in CIDR form."""
    pool = ipaddress.ip_network(settings.network_pool)
    return f"{pool.network_address + number * 256}/24"


def list_all(platform: Platform, actor: Actor) -> list[ProjectInfo]:
    """The actor's projects; a platform admin sees all."""
    with platform.db.read() as session:
        roles = dict(
            session.execute(select(Member.project_id, Member.role).where(Member.user_id == actor.user_id)).all()
        )
        query = select(Project, func.count(App.id)).outerjoin(App).group_by(Project.id).order_by(Project.name)
        if not actor.is_admin:
            query = query.where(Project.id.in_(roles))
        return [
            ProjectInfo(p.name, roles.get(p.id, "admin"), n, p.build_limit, p.created_at)
            for p, n in session.execute(query)
        ]


def get(platform: Platform, actor: Actor, name: str) -> ProjectInfo:
    with platform.db.read() as session:
        return _info(session, access.authorise(session, actor, Permission.project_view, name), actor)


def _info(session: Session, project: Project, actor: Actor) -> ProjectInfo:
    member = session.get(Member, (project.id, actor.user_id))
    apps = session.scalar(select(func.count(App.id)).where(App.project_id == project.id)) or 0
    role = member.role if member else "admin"
    return ProjectInfo(project.name, role, apps, project.build_limit, project.created_at)


def update(platform: Platform, actor: Actor, name: str, build_limit: int) -> ProjectInfo:
    """Set how many builds of the project may run at the same time; for platform admins."""
    if not 0 <= build_limit <= MAX_BUILDS:
        raise InvalidInput(f"build_limit must be 0 to {MAX_BUILDS}", field="build_limit", hint="0: the default.")
    with platform.db.write() as session:
        project = access.authorise(session, actor, Permission.project_view, name)
        access.authorise_platform(actor, Permission.platform_limits)
        project.build_limit = build_limit
        return _info(session, project, actor)


def delete(platform: Platform, actor: Actor, name: str) -> None:
    """Remove an empty project, then its network; a sweep removes what an engine that is away keeps of it.

    Raises Conflict while it has apps.
    """
    with platform.db.write() as session:
        project = access.authorise(session, actor, Permission.project_delete, name)
        apps = list(session.scalars(select(App.name).where(App.project_id == project.id)))
        if apps:
            raise Conflict(f"{name!r} still has apps: {', '.join(sorted(apps)[:5])}", hint="Delete them first.")
        session.delete(project)
    platform.driver().destroy_project(ProjectId(project.id))
