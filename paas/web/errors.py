"""The boundary where errors become answers: RFC 9457 problem details, or plain words for git clients.

Only what an error's own message, hint and facts say goes out. What nobody expected is logged with the
request's id, and the answer names that id alone.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from flask import Flask, Response, g, json, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from paas.errors import Failed, InvalidInput, NotFound, PaasError, Unauthenticated, Unavailable

log = logging.getLogger(__name__)
MAX_FIELD = 100
_CODES = {
    400: "invalid_input",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


class TooManyAttempts(Unavailable):
    """Too many attempts; wait a moment."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "too_many_attempts"


def install(server: Flask) -> None:
    """Every error of every view ends here."""
    server.register_error_handler(PaasError, answer)
    server.register_error_handler(HTTPException, _answer_http)
    server.register_error_handler(Exception, _answer_unexpected)


def answer(error: PaasError) -> Response:
    """The answer that an error stands for."""
    response = _response(error.status, problem(error))
    if isinstance(error, Unauthenticated):
        scheme = "Basic" if _is_git() else "Bearer"
        response.headers["WWW-Authenticate"] = f'{scheme} realm="paas", charset="UTF-8"'
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def problem(error: PaasError) -> dict[str, Any]:
    """The error as a problem object."""
    reasons = {"reason": error.reason, "stage": error.stage} if isinstance(error, Failed) else {}
    known = {"type": "about:blank", "title": error.code, "status": error.status, "detail": error.message}
    return {**error.facts, **reasons, **known, "hint": error.hint}


def invalid(error: ValidationError) -> InvalidInput:
    """The first thing that a body, path or query breaks; the value itself is not repeated, it may be a secret."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"] if part != "[key]")[:MAX_FIELD] or "body"
    return InvalidInput(
        f"{field}: {first['msg']}", field=field, hint="See the API's description at /api/v1/openapi.json."
    )


def _answer_http(error: HTTPException) -> Response:
    status = error.code or 500
    if status == 404:
        return answer(NotFound("there is no such address", hint="See /api/v1/openapi.json."))
    known = {"type": "about:blank", "title": _CODES.get(status, "error"), "status": status}
    response = _response(status, {**known, "detail": error.name, "hint": ""})
    if status == 405:
        response.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or []))
    return response


def _answer_unexpected(error: Exception) -> Response:
    log.error("request %s: unexpected error in %s", g.get("request_id", ""), request.endpoint, exc_info=error)
    hint = f"Give the operator this id: {g.get('request_id', '')}"
    return answer(PaasError("Something broke inside the platform.", hint=hint))


def _is_git() -> bool:
    return request.path.startswith("/git/")


def _response(status: int, body: dict[str, Any]) -> Response:
    if _is_git():  # git shows a plain text body to its user, line by line
        words = f"{body['detail']}\n{body['hint']}\n".rstrip("\n") + "\n"
        return Response(words, status, mimetype="text/plain")
    return Response(json.dumps(body) + "\n", status, mimetype="application/problem+json")
