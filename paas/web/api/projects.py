"""Projects."""

from __future__ import annotations

from paas.actions import projects
from paas.actions.projects import ProjectInfo
from paas.web.fields import Given, Name, ProjectPath
from paas.web.routes import Call, Noun

noun = Noun("projects")


class ProjectWanted(Given):
    name: Name


class ProjectChange(Given):
    build_limit: int


@noun.route("GET", "/projects")
def list_projects(call: Call) -> list[ProjectInfo]:
    """The projects that you are a member of."""
    return projects.list_all(call.platform, call.actor)


@noun.route("POST", "/projects", status=201)
def create_project(call: Call, body: ProjectWanted) -> ProjectInfo:
    """Make a project; you become its admin."""
    return projects.create(call.platform, call.actor, body.name)


@noun.route("GET", "/projects/<project>")
def get_project(call: Call, path: ProjectPath) -> ProjectInfo:
    """One project."""
    return projects.get(call.platform, call.actor, path.project)


@noun.route("PATCH", "/projects/<project>")
def update_project(call: Call, path: ProjectPath, body: ProjectChange) -> ProjectInfo:
    """Set how many of its builds may run at the same time; for platform admins."""
    return projects.update(call.platform, call.actor, path.project, body.build_limit)


@noun.route("DELETE", "/projects/<project>")
def delete_project(call: Call, path: ProjectPath) -> None:
    """Remove a project that has no apps."""
    projects.delete(call.platform, call.actor, path.project)
