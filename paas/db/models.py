"""The tables. Rows hold state only; verbs live in `actions`, decisions in `core`.

Ids are random hex and go to engines, files and the router; numbers (`build 12`, `v3`) count
per app and are for people. Times are UTC. Secrets are hashed (tokens, passwords) or sealed (config).
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_id() -> str:
    return uuid.uuid4().hex


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC: SQLite keeps no zone, so it is stored without one and comes back with it."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, datetime: UtcTime}  # noqa: RUF012 - SQLAlchemy's own form


class User(Base):
    __tablename__ = "users"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200), default="")
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class Token(Base):
    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the token: it has 256 random bits, so a slow hash would add nothing."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    user: Mapped[User] = relationship(lazy="raise")


class Project(Base):
    __tablename__ = "projects"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    subnet: Mapped[int] = mapped_column(unique=True)
    """Which /24 of the network pool."""
    build_limit: Mapped[int] = mapped_column(default=0, server_default="0")
    """Builds that run at the same time; 0: the operator's default."""
    created_at: Mapped[datetime]


class Member(Base):
    __tablename__ = "members"
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(10))
    user: Mapped[User] = relationship(lazy="raise")


class App(Base):
    __tablename__ = "apps"
    __table_args__ = (UniqueConstraint("project_id", "name"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(40))
    host: Mapped[str] = mapped_column(String(253), unique=True)
    """Unique over all projects: app `a-b` of `c` and app `a` of `b-c` would share one."""
    deploy_branch: Mapped[str] = mapped_column(String(255), default="main")
    builder: Mapped[str] = mapped_column(String(300), default="")
    build_settings: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """`core.builds.BuildSettings` as JSON; what is left out is the default."""
    formation: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the user scaled: count by process type."""
    last_build: Mapped[int] = mapped_column(default=0)
    last_release: Mapped[int] = mapped_column(default=0)
    last_event: Mapped[int] = mapped_column(default=0)
    is_deleting: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    project: Mapped[Project] = relationship(lazy="raise")


class ConfigVar(Base):
    __tablename__ = "config"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    updated_at: Mapped[datetime]


class Leased:
    """Work that one worker holds: every write of it carries `fence`, which each take-over raises."""

    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    """A retry waits until then."""


class Failure:
    """Why it ended badly: a fixed reason code, the stage, a sentence, what to do."""

    reason: Mapped[str] = mapped_column(String(60), default="")
    stage: Mapped[str] = mapped_column(String(40), default="")
    message: Mapped[str] = mapped_column(Text, default="")
    hint: Mapped[str] = mapped_column(Text, default="")


class Build(Leased, Failure, Base):
    __tablename__ = "builds"
    __table_args__ = (UniqueConstraint("app_id", "number"), Index("ix_builds_state_created", "state", "created_at"))
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(String(12))
    trigger: Mapped[str] = mapped_column(String(12))
    """push, config, builder, webhook, manual"""
    trigger_message: Mapped[str] = mapped_column(String(300), default="", server_default="")
    source_kind: Mapped[str] = mapped_column(String(12), default="push", server_default="push")
    """push, directory, git, image"""
    source_location: Mapped[str] = mapped_column(String(500), default="", server_default="")
    """Where it came from: a repository's URL, an image's reference; never a credential."""
    source_digest: Mapped[str] = mapped_column(String(80))
    """Empty until a `git` source was fetched, and always for an `image`."""
    strategy: Mapped[str] = mapped_column(String(12), default="", server_default="")
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """The app's build settings when it was queued."""
    no_cache: Mapped[bool] = mapped_column(default=False, server_default=false())
    ref: Mapped[str] = mapped_column(String(255), default="")
    commit: Mapped[str] = mapped_column(String(64), default="")
    commit_author: Mapped[str] = mapped_column(String(200), default="")
    commit_message: Mapped[str] = mapped_column(String(500), default="")
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    is_cancel_requested: Mapped[bool] = mapped_column(default=False)
    image: Mapped[str] = mapped_column(String(80), default="")
    builder: Mapped[str] = mapped_column(String(300), default="")
    ledger: Mapped[list[Any]] = mapped_column(default=list)
    stages: Mapped[dict[str, Any]] = mapped_column(default=dict)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    app: Mapped[App] = relationship(lazy="raise")


class Release(Leased, Failure, Base):
    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("app_id", "number"), Index("ix_releases_state", "state"))
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(String(12))
    trigger: Mapped[str] = mapped_column(String(12))
    """build, config, scale, rollback, rebase"""
    description: Mapped[str] = mapped_column(String(300), default="")
    build_id: Mapped[str | None] = mapped_column(ForeignKey("builds.id"), unique=True)
    """Only of a release that a build made: unique, so that a build can't make two."""
    build_number: Mapped[int] = mapped_column(default=0)
    commit: Mapped[str] = mapped_column(String(64), default="")
    image: Mapped[str] = mapped_column(String(80))
    sealed_config: Mapped[bytes] = mapped_column(LargeBinary)
    processes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """By process type: command (list), count, check (HealthCheck as JSON)."""
    release_command: Mapped[list[Any]] = mapped_column(default=list)
    release_phase: Mapped[str] = mapped_column(String(10), default="")
    """"" before it, then running, then done: a phase that was cut off is not run again by itself."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    app: Mapped[App] = relationship(lazy="raise")


class BuildSecret(Base):
    """A secret that an app's builds see as a file."""

    __tablename__ = "build_secrets"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    updated_at: Mapped[datetime]


class ImageTag(Base):
    """A name that an app's owner gave to an image: it is kept as long as it has one."""

    __tablename__ = "image_tags"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    image: Mapped[str] = mapped_column(String(80))
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class Rebase(Leased, Failure, Base):
    """Moves apps onto a newer base, in waves."""

    __tablename__ = "rebases"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(String(12))
    """running, done, stopped"""
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Sizes of the waves, how many failures stop it."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class RebaseApp(Base):
    """One app's part in a rebase."""

    __tablename__ = "rebase_apps"
    rebase_id: Mapped[str] = mapped_column(ForeignKey("rebases.id", ondelete="CASCADE"), primary_key=True)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True)
    wave: Mapped[int]
    state: Mapped[str] = mapped_column(String(12))
    """waiting, deploying, done, skipped, failed"""
    message: Mapped[str] = mapped_column(Text, default="")
    release_id: Mapped[str | None] = mapped_column(ForeignKey("releases.id", ondelete="SET NULL"))


class Event(Base):
    """One line of an app's story; `number` counts per app without a gap."""

    __tablename__ = "events"
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    source: Mapped[str] = mapped_column(String(80))
    """`build/12`, `release/14`, `app/web.1`, `api`, `git`"""
    kind: Mapped[str] = mapped_column(String(12), default="line")
    """`line`; `end`: the build or release of `source` is over; `state`: something about it changed."""
    text: Mapped[str] = mapped_column(Text)


class LogCursor(Base):
    """Up to which engine time stamp an instance's lines are kept; written with the lines themselves."""

    __tablename__ = "log_cursors"
    instance_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    app_id: Mapped[str] = mapped_column(ForeignKey("apps.id", ondelete="CASCADE"), index=True)
    at: Mapped[str] = mapped_column(String(40))
