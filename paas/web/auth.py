"""Who asks: a token by Bearer (or as Basic's password, for git), or a user name and password to get a token."""

from __future__ import annotations

from flask import Request
from werkzeug.datastructures import Authorization

from paas.actions import access
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.errors import Unauthenticated
from paas.web.attempts import Attempts

MAX_SECRET = 1000


def bearer(platform: Platform, request: Request) -> Actor:
    """The token's user. Raises Unauthenticated."""
    return access.authenticate(platform, _token(request, "bearer"))


def git(platform: Platform, request: Request) -> Actor:
    """The user whose token is the password; git asks with any user name. Raises Unauthenticated."""
    return access.authenticate(platform, _token(request, "basic", "bearer"))


def password(platform: Platform, request: Request, attempts: Attempts) -> Actor:
    """The user by name and password, or by token. Raises Unauthenticated, TooManyAttempts."""
    given = _sent(request)
    if given is None or given.type != "basic":
        return bearer(platform, request)
    name, secret = given.username or "", given.password or ""
    if not name or not secret or len(secret) > MAX_SECRET:
        raise _missing()
    with attempts.attempt(name, address(request)):
        return access.login(platform, name, secret)


def address(request: Request) -> str:
    """The client's address. Over the unix socket our own router is the peer, and the last hop is what it wrote."""
    if request.remote_addr:
        return request.remote_addr
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    return hops[-1].strip()[:64]


def _token(request: Request, *kinds: str) -> str:
    given = _sent(request)
    if given is None or given.type not in kinds:
        raise _missing()
    token = (given.token if given.type == "bearer" else given.password) or ""
    if not token or len(token) > MAX_SECRET:
        raise _missing()
    return token


def _sent(request: Request) -> Authorization | None:
    try:
        return request.authorization
    except ValueError:  # Basic with letters outside of ASCII
        return None


def _missing() -> Unauthenticated:
    return Unauthenticated("no token was sent", hint="Log in with `paasctl login`.")
