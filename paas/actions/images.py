"""An app's images: which releases and tags name one, and tags that keep one from garbage collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from paas.actions import apps
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.core import names
from paas.core.permissions import Permission
from paas.db.models import App, ImageTag, Release
from paas.errors import InvalidInput, NotFound

MOST_TAGS = 50


@dataclass(frozen=True)
class ImageInfo:
    """An image by digest."""

    image: str
    releases: list[str]
    tags: list[str]
    created_at: datetime


def list_all(platform: Platform, actor: Actor, project: str, app: str) -> list[ImageInfo]:
    """Of the releases and tags that there are, newest first."""
    with platform.db.read() as session:
        row = apps.find(session, actor, Permission.app_view, project, app)
        found: dict[str, ImageInfo] = {}
        every = select(Release).where(Release.app_id == row.id).order_by(Release.number.desc()).limit(200)
        for release in session.scalars(every):
            info = found.setdefault(release.image, ImageInfo(release.image, [], [], release.created_at))
            info.releases.append(f"v{release.number}")
        for tag in session.scalars(select(ImageTag).where(ImageTag.app_id == row.id).order_by(ImageTag.name)):
            found.setdefault(tag.image, ImageInfo(tag.image, [], [], tag.created_at)).tags.append(tag.name)
        return list(found.values())


def tag(platform: Platform, actor: Actor, project: str, app: str, name: str, version: str) -> ImageInfo:
    """Name the image of a release (`v3`); a name that another image has moves. Raises InvalidInput, NotFound."""
    if not names.GRAMMAR.fullmatch(name):
        raise InvalidInput(f"tag {name[:60]!r} is no name", field="tag", hint="Use 1 to 40 of a-z, 0-9 and '-'.")
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_deploy, project, app)
        image = _image_of(session, row, version)
        known = session.get(ImageTag, (row.id, name))
        if known:
            known.image, known.created_by, known.created_at = image, actor.user_id, platform.now()
        else:
            _check_count(session, row)
            session.add(
                ImageTag(app_id=row.id, name=name, image=image, created_by=actor.user_id, created_at=platform.now())
            )
    return next(info for info in list_all(platform, actor, project, app) if name in info.tags)


def _check_count(session: Session, app: App) -> None:
    count = session.scalar(select(func.count()).select_from(ImageTag).where(ImageTag.app_id == app.id)) or 0
    if count >= MOST_TAGS:
        raise InvalidInput(f"an app has at most {MOST_TAGS} tags", field="tag", hint="Remove one first.")


def _image_of(session: Session, app: App, version: str) -> str:
    number = version.removeprefix("v")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise InvalidInput(f"release {version[:20]!r} is not one", field="release", hint="For example v3.")
    found = session.scalar(select(Release.image).where(Release.app_id == app.id, Release.number == int(number)))
    if found is None:
        raise NotFound(f"there is no release v{number} of {app.name!r}", hint="See `paasctl releases list`.")
    return found


def untag(platform: Platform, actor: Actor, project: str, app: str, name: str) -> None:
    """The name is gone; the image stays as long as something else needs it. Raises NotFound."""
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.app_deploy, project, app)
        known = session.get(ImageTag, (row.id, name))
        if known is None:
            raise NotFound(f"there is no tag {name[:60]!r} of {app!r}", hint="See `paasctl images list`.")
        session.delete(known)
