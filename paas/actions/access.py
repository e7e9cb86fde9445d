"""Users, tokens and members; and `authorise`, through which every other action asks."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from paas.actions.platform import Platform
from paas.core import names
from paas.core.permissions import Permission, Role, Verdict, decide
from paas.db.models import Member, Project, Token, User
from paas.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated

TOKEN_PREFIX = "paas_"  # noqa: S105 - scanners for leaked secrets look for a fixed prefix
MIN_PASSWORD = 12
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP password storage cheat sheet


@dataclass(frozen=True)
class Actor:
    """Who asks."""

    user_id: str
    name: str
    is_admin: bool
    token_id: str | None = None


@dataclass(frozen=True)
class TokenInfo:
    id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class NewToken:
    """A token in clear text: shown once, only its digest is kept."""

    id: str
    name: str
    token: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class UserInfo:
    name: str
    is_admin: bool
    is_disabled: bool
    created_at: datetime


@dataclass(frozen=True)
class NewUser:
    name: str
    is_admin: bool
    password: str | None
    """Set where the platform made it up."""


@dataclass(frozen=True)
class MemberInfo:
    user: str
    role: str


def authorise(session: Session, actor: Actor, permission: Permission, project: str) -> Project:
    """The project, if the actor may do this in it. Raises NotFound (also where it must stay hidden), Forbidden."""
    row = session.scalar(select(Project).where(Project.name == project))
    role = None if row is None else _role(session, row.id, actor.user_id)
    verdict = decide(permission, role=role, is_platform_admin=actor.is_admin)
    if row is None or verdict is Verdict.hidden:
        raise NotFound(f"there is no project {project[:60]!r}", hint="List yours with `paasctl projects list`.")
    _enforce(verdict, permission)
    return row


def authorise_platform(actor: Actor, permission: Permission) -> None:
    """Raises Forbidden unless the actor may do this to the platform itself."""
    _enforce(decide(permission, role=None, is_platform_admin=actor.is_admin), permission)


def _enforce(verdict: Verdict, permission: Permission) -> None:
    if verdict is not Verdict.allowed:
        needed = f"the role {permission.role.name!r}" if permission.role else "a platform admin"
        raise Forbidden(f"{permission.label} needs {needed}", hint="Ask an admin of the project.")


def _role(session: Session, project_id: str, user_id: str) -> Role | None:
    member = session.get(Member, (project_id, user_id))
    return Role[member.role] if member else None


def login(platform: Platform, name: str, password: str) -> Actor:
    """The user with this password. Raises Unauthenticated, in equal time for unknown names."""
    with platform.db.read() as session:
        user = session.scalar(select(User).where(User.name == name))
    known = user.password_hash if user and user.password_hash else _unmatchable()
    try:
        _hasher.verify(known, password)
    except (VerifyMismatchError, InvalidHashError):
        raise _wrong_login() from None
    if user is None or user.is_disabled:
        raise _wrong_login()
    return Actor(user.id, user.name, user.is_admin)


def _wrong_login() -> Unauthenticated:
    return Unauthenticated("the user name or password is wrong", hint="Try again, or ask an admin for a new password.")


_unmatchable_hash: list[str] = []


def _unmatchable() -> str:
    """A hash that costs the same time to compare and matches nothing."""
    if not _unmatchable_hash:
        _unmatchable_hash.append(_hasher.hash(secrets.token_urlsafe(32)))
    return _unmatchable_hash[0]


def authenticate(platform: Platform, token: str) -> Actor:
    """The token's user. Raises Unauthenticated."""
    now = platform.now()
    with platform.db.read() as session:
        row = session.scalar(select(Token).where(Token.digest == _digest(token)).options(joinedload(Token.user)))
    if row is None or row.user.is_disabled or (row.expires_at and row.expires_at <= now):
        raise Unauthenticated("the token is not valid", hint="Log in with `paasctl login`.")
    if row.last_used_at is None or now - row.last_used_at > timedelta(minutes=5):
        with platform.db.write() as session:
            used = session.get(Token, row.id)
            if used:
                used.last_used_at = now
    return Actor(row.user.id, row.user.name, row.user.is_admin, row.id)


def check_still(session: Session, actor: Actor, now: datetime) -> None:
    """For what goes on for long: raises Unauthenticated where the user or the token is no longer good."""
    user = session.get(User, actor.user_id)
    token = session.get(Token, actor.token_id) if actor.token_id else None
    ended = actor.token_id and (token is None or (token.expires_at and token.expires_at <= now))
    if user is None or user.is_disabled or ended:
        raise Unauthenticated("the token is not valid any more", hint="Log in with `paasctl login`.")
    if actor.is_admin and not user.is_admin:
        raise Unauthenticated("you are no platform admin any more", hint="Ask again with the rights you have now.")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create_token(platform: Platform, actor: Actor, name: str, expires_in_days: int | None) -> NewToken:
    """A new token of the actor's own."""
    if not 1 <= len(name) <= 80:
        raise InvalidInput("the token's name must have 1 to 80 characters", field="name")
    if expires_in_days is not None and not 1 <= expires_in_days <= 3650:
        raise InvalidInput("expires_in_days must be 1 to 3650", field="expires_in_days")
    now = platform.now()
    clear = TOKEN_PREFIX + secrets.token_urlsafe(32)
    expires = now + timedelta(days=expires_in_days) if expires_in_days else None
    with platform.db.write() as session:
        row = Token(user_id=actor.user_id, name=name, digest=_digest(clear), created_at=now, expires_at=expires)
        session.add(row)
    return NewToken(row.id, name, clear, now, expires)


def get_token(platform: Platform, actor: Actor) -> TokenInfo | None:
    """The token that the actor came with."""
    with platform.db.read() as session:
        row = session.get(Token, actor.token_id) if actor.token_id else None
        return _token_info(row) if row else None


def list_tokens(platform: Platform, actor: Actor) -> list[TokenInfo]:
    with platform.db.read() as session:
        rows = session.scalars(select(Token).where(Token.user_id == actor.user_id).order_by(Token.created_at))
        return [_token_info(row) for row in rows]


def _token_info(row: Token) -> TokenInfo:
    return TokenInfo(row.id, row.name, row.created_at, row.expires_at, row.last_used_at)


def revoke_token(platform: Platform, actor: Actor, token_id: str) -> None:
    """The token ends at once. Raises NotFound for another user's."""
    with platform.db.write() as session:
        row = session.get(Token, token_id)
        if row is None or row.user_id != actor.user_id:
            raise NotFound("there is no such token", hint="List yours with `paasctl tokens list`.")
        session.delete(row)


def create_user(platform: Platform, actor: Actor, name: str, password: str | None, is_admin: bool) -> NewUser:
    authorise_platform(actor, Permission.platform_users)
    return add_user(platform, name, password, is_admin)


def add_user(platform: Platform, name: str, password: str | None, is_admin: bool) -> NewUser:
    """A new user, for the operator on the machine itself. Raises Conflict, InvalidInput."""
    if name != "admin":
        names.check_name(name, "user")
    chosen = password or secrets.token_urlsafe(18)
    hashed = _hash(chosen)
    with platform.db.write() as session:
        if session.scalar(select(User.id).where(User.name == name)):
            raise Conflict(f"there is a user {name!r} already", hint="Choose another name.")
        session.add(User(name=name, password_hash=hashed, is_admin=is_admin, created_at=platform.now()))
    return NewUser(name, is_admin, None if password else chosen)


def _hash(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= 1000:
        raise InvalidInput(f"the password must have at least {MIN_PASSWORD} characters", field="password")
    return _hasher.hash(password)


def list_users(platform: Platform, actor: Actor) -> list[UserInfo]:
    authorise_platform(actor, Permission.platform_users)
    with platform.db.read() as session:
        rows = session.scalars(select(User).order_by(User.name))
        return [UserInfo(u.name, u.is_admin, u.is_disabled, u.created_at) for u in rows]


def update_user(
    platform: Platform, actor: Actor, name: str, password: str | None, is_disabled: bool | None
) -> UserInfo:
    """Change a password (one's own, or any as platform admin; ends all tokens) or disable a user."""
    if name != actor.name or is_disabled is not None:
        authorise_platform(actor, Permission.platform_users)
    hashed = _hash(password) if password is not None else None
    with platform.db.write() as session:
        user = _user(session, name)
        if hashed is not None:
            user.password_hash = hashed
        if is_disabled is not None:
            user.is_disabled = is_disabled
        if hashed is not None or is_disabled:
            session.execute(delete(Token).where(Token.user_id == user.id, Token.id != (actor.token_id or "")))
        return UserInfo(user.name, user.is_admin, user.is_disabled, user.created_at)


def _user(session: Session, name: str) -> User:
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise NotFound(f"there is no user {name[:60]!r}", hint="An admin can list them with `paasctl users list`.")
    return user


def list_members(platform: Platform, actor: Actor, project: str) -> list[MemberInfo]:
    with platform.db.read() as session:
        row = authorise(session, actor, Permission.access_view, project)
        members = session.scalars(select(Member).where(Member.project_id == row.id).options(joinedload(Member.user)))
        return sorted((MemberInfo(m.user.name, m.role) for m in members), key=lambda m: m.user)


def set_member(platform: Platform, actor: Actor, project: str, user: str, role: str) -> MemberInfo:
    """Give a user a role in the project; it counts from the next request on."""
    if role not in Role.__members__:
        raise InvalidInput(f"{role[:20]!r} is not a role", field="role", hint=f"Use {', '.join(Role.__members__)}.")
    with platform.db.write() as session:
        row = authorise(session, actor, Permission.access_manage, project)
        member = session.get(Member, (row.id, _user(session, user).id))
        if member is None:
            session.add(Member(project_id=row.id, user_id=_user(session, user).id, role=role))
        else:
            _keep_an_admin(session, row, member, role)
            member.role = role
    return MemberInfo(user, role)


def remove_member(platform: Platform, actor: Actor, project: str, user: str) -> None:
    with platform.db.write() as session:
        row = authorise(session, actor, Permission.access_manage, project)
        member = session.get(Member, (row.id, _user(session, user).id))
        if member is None:
            raise NotFound(f"{user!r} is not a member of {project!r}", hint="See `paasctl access list`.")
        _keep_an_admin(session, row, member, "")
        session.delete(member)


def _keep_an_admin(session: Session, project: Project, member: Member, role: str) -> None:
    admins = session.scalars(select(Member.user_id).where(Member.project_id == project.id, Member.role == "admin"))
    if member.role == "admin" and role != "admin" and len(list(admins)) == 1:
        raise Conflict(f"{project.name!r} would be without an admin", hint="Make somebody else admin first.")
