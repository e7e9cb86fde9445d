"""Apps."""

from __future__ import annotations

from paas.actions import apps
from paas.actions.apps import AppInfo
from paas.web.fields import AppPath, Given, Name, ProjectPath, Text
from paas.web.routes import Call, Noun

noun = Noun("apps")


class AppWanted(Given):
    name: Name
    builder: Text = ""
    deploy_branch: Text = "main"


class AppChange(Given):
    builder: Text | None = None
    deploy_branch: Text | None = None


@noun.route("GET", "/apps")
def list_all_apps(call: Call) -> list[AppInfo]:
    """The apps of all your projects."""
    return apps.list_all(call.platform, call.actor, None)


@noun.route("GET", "/projects/<project>/apps")
def list_apps(call: Call, path: ProjectPath) -> list[AppInfo]:
    """The project's apps."""
    return apps.list_all(call.platform, call.actor, path.project)


@noun.route("POST", "/projects/<project>/apps", status=201)
def create_app(call: Call, path: ProjectPath, body: AppWanted) -> AppInfo:
    """Make an empty app, ready for its first push."""
    return apps.create(call.platform, call.actor, path.project, body.name, body.builder, body.deploy_branch)


@noun.route("GET", "/projects/<project>/apps/<app>")
def get_app(call: Call, path: AppPath) -> AppInfo:
    """One app."""
    return apps.get(call.platform, call.actor, path.project, path.app)


@noun.route("PATCH", "/projects/<project>/apps/<app>")
def update_app(call: Call, path: AppPath, body: AppChange) -> AppInfo:
    """Choose another builder or deploy branch."""
    return apps.update(call.platform, call.actor, path.project, path.app, body.builder, body.deploy_branch)


@noun.route("DELETE", "/projects/<project>/apps/<app>")
def delete_app(call: Call, path: AppPath) -> None:
    """Remove the app, its instances and its repository."""
    apps.delete(call.platform, call.actor, path.project, path.app)
