"""Smart HTTP: /git/PROJECT/APP.git for stock git clients, password = token.

The path is never joined to a folder: two names are looked up, and what they lead to lies under an id. The
protocol version that a client asks for is not passed on: version 2 would serve objects that no ref shows
(`git fetch` of a deleted branch's commit), versions 0 and 1 do not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flask import Blueprint, Request, Response, request

from paas.actions import pushes
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.actions.pushes import PushTarget
from paas.errors import InvalidInput, NotFound
from paas.git import bodies, hooks, repositories, sessions
from paas.git.pushes import Pusher
from paas.git.sessions import Session
from paas.settings import MIB

FETCH, PUSH = "git-upload-pack", "git-receive-pack"
FETCH_BYTES = 32 * MIB
"""Largest list of wants and haves."""
NO_CACHE = {
    "Cache-Control": "no-cache, max-age=0, must-revalidate",
    "Pragma": "no-cache",
    "Expires": "Fri, 01 Jan 1980 00:00:00 GMT",
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True)
class Door:
    """Who may come in, and where to."""

    platform: Platform
    authenticate: Callable[[Request], Actor]
    take_slot: Callable[[Actor, str], Callable[[], None]]
    """A place among the streams, for a user and an app; gives what frees it. Raises Unavailable."""

    def _enter(self, project: str, app: str, service: str) -> tuple[Actor, PushTarget]:
        actor = self.authenticate(request)
        found = pushes.target(self.platform, actor, project, app, write=service == PUSH)
        repositories.ensure(self.platform.settings, found.repository, found.deploy_branch)
        return actor, found

    def advertise(self, project: str, app: str) -> Response:
        service = request.args.get("service", "")
        actor, found = self._enter(project, app, service)
        if service not in (FETCH, PUSH):
            raise InvalidInput("only git's smart protocol is spoken", field="service", hint="Use git 1.6.6 or newer.")
        arguments = (service.removeprefix("git-"), "--stateless-rpc", "--advertise-refs", str(found.repository))
        session = sessions.upload(self.platform.settings, self.take_slot(actor, found.app_id), *arguments)
        session.feed(())
        return _answer(session, f"application/x-{service}-advertisement", _announce(service))

    def fetch(self, project: str, app: str) -> Response:
        actor, found = self._enter(project, app, FETCH)
        body = _body(request, FETCH, FETCH_BYTES)
        arguments = ("upload-pack", "--stateless-rpc", str(found.repository))
        session = sessions.upload(self.platform.settings, self.take_slot(actor, found.app_id), *arguments)
        session.feed(body)
        return _answer(session, f"application/x-{FETCH}-result")

    def push(self, project: str, app: str) -> Response:
        actor, found = self._enter(project, app, PUSH)
        # git itself refuses a pack over push_bytes, in words; up to twice that is read so that they arrive
        body = _body(request, PUSH, 2 * self.platform.settings.push_bytes + MIB)
        pusher = Pusher(self.platform, actor, found, threading.Event())
        session = sessions.receive(pusher, self.take_slot(actor, found.app_id))
        session.feed(body)
        return _answer(session, f"application/x-{PUSH}-result")

    def nothing(self, project: str, app: str, rest: str = "") -> Response:
        self._enter(project, app, "")
        raise NotFound("git's other addresses are not served here", hint="Use git clone, fetch and push.")


def blueprint(door: Door) -> Blueprint:
    """The routes of git."""
    hooks.install(door.platform.settings)
    repositories.sweep(door.platform.settings)
    routes = Blueprint("git", __name__, url_prefix="/git/<project>/<app>.git")
    routes.add_url_rule("/info/refs", "advertise", door.advertise, methods=["GET"])
    routes.add_url_rule(f"/{FETCH}", "fetch", door.fetch, methods=["POST"])
    routes.add_url_rule(f"/{PUSH}", "push", door.push, methods=["POST"])
    for rule in ("/", "/<path:rest>"):
        routes.add_url_rule(rule, "nothing", door.nothing, methods=["GET", "POST"])
    return routes


def _body(received: Request, service: str, most: int) -> Iterator[bytes]:
    if received.mimetype != f"application/x-{service}-request":
        raise InvalidInput(f"the body must be application/x-{service}-request", field="Content-Type", hint="Use git.")
    received.max_content_length = most
    return bodies.pieces(received.stream, received.headers.get("Content-Encoding", "").lower(), most)


def _announce(service: str) -> bytes:
    line = f"# service={service}\n".encode()
    return b"%04x%b0000" % (len(line) + 4, line)


def _answer(session: Session, mimetype: str, head: bytes = b"") -> Response:
    first, rest = session.begin()

    def answer() -> Iterator[bytes]:
        yield head + first
        yield from rest

    response = Response(answer(), mimetype=mimetype, headers=NO_CACHE)
    response.call_on_close(session.leave)  # a response that is never read has no generator to end
    return response
