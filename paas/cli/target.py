"""Which app is meant: --app and --project, else the git remote `paas`, else PAASCTL_APP and PAASCTL_PROJECT.

A project alone may also be the only one that the user has; an app is never guessed like that, or a
command in the wrong folder would change the wrong app.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from paas.cli import addresses
from paas.cli.client import Api, AppApi
from paas.cli.environment import Environment
from paas.cli.session import Session
from paas.errors import InvalidInput, NotFound

REMOTE = "paas"
_GIT_URL = re.compile(r"(https?)://(?:[^/@]*@)?([^/@]+)/git/([a-z0-9-]+)/([a-z0-9-]+?)(?:\.git)?/?")
_REMEDIES = (
    "Name it with --app NAME (and --project NAME), set PAASCTL_APP, or stand in a work tree "
    "with the git remote `paas`, which `paasctl apps create` adds."
)


@dataclass(frozen=True)
class Remote:
    """An app as a git remote names it."""

    server: str
    project: str
    app: str


@dataclass(frozen=True)
class Wanted:
    """What the command line, the remote and the environment say. Without `project` the app is looked up;
    `prefer` decides between projects that have an app of that name."""

    app: str
    project: str = ""
    server: str = ""
    prefer: tuple[str, ...] = ()


def parse_remote(url: str) -> Remote | None:
    """The app that the URL of a git remote leads to; None for any other remote."""
    match = _GIT_URL.fullmatch(url.strip())
    if match is None:
        return None
    try:
        server = addresses.normalise(f"{match[1]}://{match[2]}")
    except InvalidInput:
        return None
    return Remote(server, match[3], match[4])


def pick_remote(remotes: Mapping[str, str], known_servers: Collection[str]) -> Remote | None:
    """`paas`, else the only other one that leads to a platform one is logged in to."""
    named = parse_remote(remotes.get(REMOTE, ""))
    if named:
        return named
    others = {remote for remote in map(parse_remote, remotes.values()) if remote and remote.server in known_servers}
    return others.pop() if len(others) == 1 else None


def choose(app: str, project: str, remote: Remote | None, environment: Environment) -> Wanted:
    """Raises InvalidInput that names the remedies."""
    if "/" in app:
        return _both(app, project)
    if app and project:
        return Wanted(app, project)
    if app:
        near = remote.project if remote else ""
        return Wanted(app, prefer=tuple(filter(None, (near, environment.project))))
    if remote and project in ("", remote.project):
        return Wanted(remote.app, remote.project, remote.server)
    if "/" in environment.app:
        return _both(environment.app, project)
    if environment.app:
        return Wanted(environment.app, project or environment.project)
    raise InvalidInput("which app?", field="app", hint=_REMEDIES)


def _both(text: str, project: str) -> Wanted:
    named, _, app = text.partition("/")
    if not named or not app or project not in ("", named):
        raise InvalidInput(f"{text!r} does not name an app", field="app", hint="Use APP or PROJECT/APP.")
    return Wanted(app, named)


def find_remote(session: Session) -> Remote | None:
    """The app of the work tree one stands in, unless PAASCTL_URL says to talk to another platform."""
    remote = pick_remote(session.remotes(), session.store().servers)
    return remote if remote and session.url(remote.server) == remote.server else None


def find_app(session: Session, app: str = "", project: str = "") -> AppApi:
    """The app that is meant. Raises InvalidInput, NotFound, Unauthenticated."""
    is_complete = bool(app and project) or "/" in app
    wanted = choose(app, project, None if is_complete else find_remote(session), session.environment)
    api = session.api(wanted.server)
    return AppApi(api, wanted.project or _look_up(api, wanted), wanted.app)


def _look_up(api: Api, wanted: Wanted) -> str:
    found = [item["project"] for item in api.get("/apps")["items"] if item["name"] == wanted.app]
    for project in wanted.prefer:
        if project in found:
            return project
    if len(found) == 1:
        return str(found[0])
    if not found:
        raise NotFound(f"there is no app {wanted.app!r}", hint="List yours with `paasctl apps list`.")
    raise InvalidInput(
        f"{wanted.app!r} is an app of several projects: {', '.join(found)}", field="project", hint="Add --project NAME."
    )


def find_project(session: Session, project: str = "") -> tuple[Api, str]:
    """The project that is meant: --project, else the remote's, else PAASCTL_PROJECT, else the only one."""
    if project:
        return session.api(), project
    remote = find_remote(session)
    if remote:
        return session.api(remote.server), remote.project
    api = session.api()
    if session.environment.project:
        return api, session.environment.project
    names = [item["name"] for item in api.get("/projects")["items"]]
    if len(names) == 1:
        return api, names[0]
    if not names:
        raise InvalidInput("you have no project", field="project", hint="Make one: paasctl projects create NAME")
    raise InvalidInput(
        f"which project? You have {', '.join(names[:10])}",
        field="project",
        hint="Add --project NAME or set PAASCTL_PROJECT.",
    )
