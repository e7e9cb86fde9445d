"""Tokens, users, members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StrictBool

from paas.actions import access
from paas.actions.access import MemberInfo, NewToken, NewUser, TokenInfo, UserInfo
from paas.web.fields import Given, Name, ProjectPath, Text
from paas.web.routes import Call, Noun

noun = Noun("access")


@dataclass(frozen=True)
class Whoami:
    name: str
    is_admin: bool
    token: TokenInfo | None


class TokenWanted(Given):
    name: Name
    expires_in_days: Annotated[int, Field(ge=1, le=3650, strict=True)] | None = None


class TokenPath(Given):
    token_id: Name


class UserWanted(Given):
    name: Name
    password: Text | None = None
    is_admin: StrictBool = False


class UserPath(Given):
    name: Name


class UserChange(Given):
    password: Text | None = None
    is_disabled: StrictBool | None = None


class MemberPath(ProjectPath):
    user: Name


class MemberWanted(Given):
    role: Name


@noun.route("POST", "/tokens", status=201, entry="password")
def create_token(call: Call, body: TokenWanted) -> NewToken:
    """Log in: a new token, shown once."""
    return access.create_token(call.platform, call.actor, body.name, body.expires_in_days)


@noun.route("GET", "/tokens")
def list_tokens(call: Call) -> list[TokenInfo]:
    """Your tokens, without their secrets."""
    return access.list_tokens(call.platform, call.actor)


@noun.route("DELETE", "/tokens/current")
def revoke_current_token(call: Call) -> None:
    """Log out: the token that this request came with ends."""
    access.revoke_token(call.platform, call.actor, call.actor.token_id or "")


@noun.route("DELETE", "/tokens/<token_id>")
def revoke_token(call: Call, path: TokenPath) -> None:
    """End one of your tokens."""
    access.revoke_token(call.platform, call.actor, path.token_id)


@noun.route("GET", "/whoami")
def whoami(call: Call) -> Whoami:
    """Whose token this is."""
    return Whoami(call.actor.name, call.actor.is_admin, access.get_token(call.platform, call.actor))


@noun.route("GET", "/users")
def list_users(call: Call) -> list[UserInfo]:
    """All users, for platform admins."""
    return access.list_users(call.platform, call.actor)


@noun.route("POST", "/users", status=201)
def create_user(call: Call, body: UserWanted) -> NewUser:
    """Add a user; without a password one is made and shown once."""
    return access.create_user(call.platform, call.actor, body.name, body.password, body.is_admin)


@noun.route("PATCH", "/users/<name>")
def update_user(call: Call, path: UserPath, body: UserChange) -> UserInfo:
    """Change a password, or disable a user."""
    return access.update_user(call.platform, call.actor, path.name, body.password, body.is_disabled)


@noun.route("GET", "/projects/<project>/members")
def list_members(call: Call, path: ProjectPath) -> list[MemberInfo]:
    """Who may do what in the project."""
    return access.list_members(call.platform, call.actor, path.project)


@noun.route("PUT", "/projects/<project>/members/<user>")
def set_member(call: Call, path: MemberPath, body: MemberWanted) -> MemberInfo:
    """Give a user a role in the project."""
    return access.set_member(call.platform, call.actor, path.project, path.user, body.role)


@noun.route("DELETE", "/projects/<project>/members/<user>")
def remove_member(call: Call, path: MemberPath) -> None:
    """Take a user out of the project."""
    access.remove_member(call.platform, call.actor, path.project, path.user)
