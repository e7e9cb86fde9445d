"""What a build is given: its row, the app's secrets, and the last good build to compare with."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from paas.actions import build_secrets
from paas.actions.platform import Platform
from paas.core import build_settings
from paas.core.builds import BuildSpec, LayerNote, Previous, State
from paas.core.names import AppId, BuildId, ProjectId
from paas.db.models import Build


def spec(platform: Platform, session: Session, build: Build) -> BuildSpec:
    """The row, whose app is loaded, as a value for the builder."""
    return BuildSpec(
        id=BuildId(build.id),
        number=build.number,
        app_id=AppId(build.app_id),
        project_id=ProjectId(build.app.project_id),
        app=build.app.name,
        source_digest=build.source_digest,
        commit=build.commit,
        ref=build.ref,
        builder=build.app.builder,
        author=build.commit_author,
        message=build.commit_message,
        source_image=build.source_location if build.source_kind == "image" else "",
        settings=build_settings.load(build.settings),
        secrets=build_secrets.values(platform, session, build.app_id),
        no_cache=build.no_cache,
        previous=_previous(session, build),
    )


def _previous(session: Session, build: Build) -> Previous | None:
    good = (Build.app_id == build.app_id, Build.state == State.succeeded, Build.number < build.number)
    last = session.scalar(select(Build).where(*good).order_by(Build.number.desc()).limit(1))
    if last is None:
        return None
    return Previous(
        number=last.number,
        image=last.image,
        source_digest=last.source_digest,
        strategy=last.strategy,
        builder=last.builder,
        ledger=tuple(LayerNote(**note) for note in last.ledger),
        facts=last.facts,
    )
