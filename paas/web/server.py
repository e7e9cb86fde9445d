"""Makes the server: routes, who may come in, limits on bodies, headers of every answer."""

from __future__ import annotations

import uuid
from importlib import metadata

from flask import Flask, Response, g, json, request
from flask.typing import ResponseReturnValue

from paas.actions.platform import Platform
from paas.errors import InvalidInput, PaasError
from paas.git import smart_http
from paas.git.smart_http import Door
from paas.settings import MIB
from paas.web import auth, errors, routes
from paas.web.api import NOUNS
from paas.web.attempts import Attempts
from paas.web.routes import PREFIX, Rule
from paas.web.slots import Slots

JSON_BYTES = MIB
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class UnsupportedMediaType(InvalidInput):
    """The body must be application/json."""

    status, code = 415, "unsupported_media_type"


def create_server(platform: Platform) -> Flask:
    """The WSGI application of one platform. Raises PaasError in Flask's debug mode, which runs strangers' code."""
    version = metadata.version("paas")
    server = routes.make(version)
    if server.debug:
        raise PaasError("the debug mode is refused", hint="Unset FLASK_DEBUG.")
    server.config.update(MAX_CONTENT_LENGTH=JSON_BYTES, PROVIDE_AUTOMATIC_OPTIONS=False)
    server.url_map.merge_slashes = False
    server.url_map.redirect_defaults = False
    slots, attempts, rules = Slots(), Attempts(), dict[str, Rule]()
    for noun in NOUNS:
        rules |= routes.register(server, noun, platform, slots)
    server.before_request(_name_request)
    server.before_request(lambda: _admit(platform, attempts, rules))
    server.after_request(_finish)
    server.add_url_rule(
        f"{PREFIX}/openapi.json",
        "openapi",
        lambda: routes.document(server),
        methods=["GET"],
        provide_automatic_options=False,
    )
    server.add_url_rule("/", "root", lambda: _root(platform, version), methods=["GET"], provide_automatic_options=False)
    door = Door(platform, lambda received: auth.git(platform, received), lambda who, app: slots.take(who.user_id, app))
    server.register_blueprint(smart_http.blueprint(door))
    errors.install(server)
    return server


def _name_request() -> None:
    g.request_id = uuid.uuid4().hex


def _admit(platform: Platform, attempts: Attempts, rules: dict[str, Rule]) -> None:
    """Before a view runs or a body is judged: who asks? An endpoint without a rule is open, or asks itself (git)."""
    rule = rules.get(request.endpoint or "")
    if rule is None:
        return
    if rule.entry == "token":
        g.actor = auth.bearer(platform, request)
    elif rule.entry == "password":
        g.actor = auth.password(platform, request, attempts)
    if rule.has_body:
        _check_json()


def _check_json() -> None:
    """flask-openapi takes a damaged body for none, and a JSON string for a body. Raises InvalidInput."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(hint="Send Content-Type: application/json.")
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise InvalidInput(
            "the body is not valid JSON", field="body", hint="Check it with `python -m json.tool`."
        ) from None
    if not isinstance(body, dict):
        raise InvalidInput("the body must be a JSON object", field="body", hint="For example {}.")


def _finish(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Request-Id"] = g.get("request_id", "")
    return response


def _root(platform: Platform, version: str) -> ResponseReturnValue:
    settings = platform.settings
    return {
        "name": "paas",
        "version": version,
        "api": f"{settings.api_url}{PREFIX}",
        "description": f"{settings.api_url}{PREFIX}/openapi.json",
        "git": f"{settings.api_url}/git/PROJECT/APP.git",
        "client": f"paasctl login {settings.api_url}",
    }
