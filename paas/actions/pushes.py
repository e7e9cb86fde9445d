"""What the git edge asks: may this actor push here, where does it go, and how did it end?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from paas.actions import apps
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.core import builds as core_builds
from paas.core import releases as core_releases
from paas.core.permissions import Permission
from paas.db.models import Build, Release


@dataclass(frozen=True)
class PushTarget:
    """An app as the git edge sees it; the repository's folder is named by id."""

    app_id: str
    project_id: str
    project: str
    app: str
    deploy_branch: str
    repository: Path
    url: str
    git_url: str


@dataclass(frozen=True)
class PushResult:
    """How a push's build and release stand: `release` is its number as `v3`, once there is one."""

    ok: bool
    release: str | None
    error: str = ""
    hint: str = ""
    is_final: bool = True


def target(platform: Platform, actor: Actor, project: str, app: str, *, write: bool) -> PushTarget:
    """Raises NotFound alike for absent and foreign, Forbidden for a role that is too low."""
    permission = Permission.app_deploy if write else Permission.source_read
    with platform.db.read() as session:
        row = apps.find(session, actor, permission, project, app)
        return PushTarget(
            app_id=row.id,
            project_id=row.project_id,
            project=project,
            app=app,
            deploy_branch=row.deploy_branch,
            repository=platform.settings.repositories / f"{row.id}.git",
            url=f"http://{row.host}:{platform.settings.port}",
            git_url=f"{platform.settings.api_url}/git/{project}/{app}.git",
        )


def finish(platform: Platform, push_target: PushTarget, build_number: int) -> PushResult:
    """How the build of a push stands now, and the release that it made."""
    with platform.db.read() as session:
        mine = (Build.app_id == push_target.app_id, Build.number == build_number)
        build = session.scalar(select(Build).where(*mine))
        if build is None:
            return PushResult(False, None, "the app was deleted meanwhile")
        state = core_builds.State(build.state)
        if state is not core_builds.State.succeeded:
            error = build.message or f"the build was {state}"
            return PushResult(False, None, error if state.is_final else "", build.hint, state.is_final)
        release = session.scalar(select(Release).where(Release.build_id == build.id))
        return _of_release(release)


def _of_release(release: Release | None) -> PushResult:
    if release is None:
        return PushResult(False, None, "the app was deleted meanwhile")
    version = f"v{release.number}"
    if release.state in (core_releases.State.pending, core_releases.State.deploying):
        return PushResult(False, version, is_final=False)
    # superseded after it was live, or by a newer one that carries the same image: the push did its part
    ok = release.state in (core_releases.State.live, core_releases.State.superseded)
    return PushResult(ok, version, release.message, release.hint)
