"""Routes as data, and the one module that knows flask-openapi.

A view is a plain function `(call, path, query, body) -> value of an action`; its annotations are the API's
description. What a route needs to know before its view runs (who may come, is there a body) is in its `Rule`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from flask import Flask, Response, g, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.schema import Schema
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel, TypeAdapter
from werkzeug.datastructures import Headers

from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.git import bodies
from paas.web import errors, render
from paas.web.slots import Slots

PREFIX = "/api/v1"
REFS = "#/components/schemas/{model}"
Entry = Literal["token", "password", "open"]
SECURITY: dict[Entry, list[dict[str, list[str]]]] = {
    "open": [],
    "token": [{"token": []}],
    "password": [{"password": []}, {"token": []}],
}
View = TypeVar("View", bound=Callable[..., Any])


class Problem(BaseModel):
    """RFC 9457 problem details; more members by kind of problem."""

    type: str
    title: str
    status: int
    detail: str
    hint: str = ""
    field: str = ""


@dataclass(frozen=True)
class Rule:
    """One route: `entry` says what opens it."""

    method: str
    path: str
    view: Callable[..., Any]
    status: int
    entry: Entry

    @property
    def name(self) -> str:
        return self.view.__name__

    @property
    def has_body(self) -> bool:
        return "body" in get_type_hints(self.view)


@dataclass(frozen=True)
class Call:
    """What a view gets besides path, query and body."""

    platform: Platform
    slots: Slots
    actor: Actor
    headers: Headers
    body: Callable[[int], Iterator[bytes]]
    """The raw body, of at most so many bytes, of a route that takes no JSON."""


class Noun:
    """The routes of one noun."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rules: list[Rule] = []

    def route(self, method: str, path: str, *, status: int = 200, entry: Entry = "token") -> Callable[[View], View]:
        """Declare the view's route. A view that gives nothing answers 204."""

        def declare(view: View) -> View:
            self.rules.append(Rule(method, path, view, status, entry))
            return view

        return declare


def make(version: str) -> OpenAPI:
    """The Flask object that describes itself."""
    server = OpenAPI(
        "paas",
        info={"title": "paas", "version": version, "description": "HTTP API of the platform."},
        security_schemes={
            "token": {"type": "http", "scheme": "bearer"},
            "password": {"type": "http", "scheme": "basic"},
        },
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=_refuse,
        doc_ui=False,
        static_folder=None,
    )
    server.openapi_version = "3.1.0"
    return server


def _refuse(error: Any) -> Response:
    raise errors.invalid(error)


def register(server: OpenAPI, noun: Noun, platform: Platform, slots: Slots) -> dict[str, Rule]:
    """Add a noun's routes; its rules by Flask's endpoint."""
    blueprint = APIBlueprint(noun.name, __name__, url_prefix=PREFIX, abp_tags=[{"name": noun.name}])
    for rule in noun.rules:
        declare = getattr(blueprint, rule.method.lower())
        security = SECURITY[rule.entry]
        responses = _responses(rule, blueprint.components_schemas)
        declare(rule.path, security=security, responses=responses, endpoint=rule.name)(_bound(rule, platform, slots))
    server.register_api(blueprint)
    return {f"{noun.name}.{rule.name}": rule for rule in noun.rules}


def document(server: Flask) -> dict[str, Any]:
    """The OpenAPI document."""
    assert isinstance(server, OpenAPI)
    found: dict[str, Any] = server.api_doc
    return found


def _bound(rule: Rule, platform: Platform, slots: Slots) -> Callable[..., Response]:
    @functools.wraps(rule.view)
    def view(**given: Any) -> Response:
        call = Call(platform, slots, g.get("actor"), request.headers, _raw_body)
        return render.response(rule.view(call, **given), rule.status)

    hints = get_type_hints(rule.view)
    view.__annotations__ = {name: hints[name] for name in ("path", "query", "body") if name in hints}
    del view.__wrapped__  # its annotations count, not the view's
    return view


def _raw_body(most: int) -> Iterator[bytes]:
    request.max_content_length = most
    return bodies.pieces(request.stream, request.headers.get("Content-Encoding", "").lower(), most)


def _responses(rule: Rule, components: dict[str, Any]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": REFS.format(model="Problem")}}}
    problem = {"description": "What was wrong and what to do", "content": content}
    result = get_type_hints(rule.view).get("return")
    if result in (None, type(None)):
        return {"204": {"description": "Done"}, "400": problem, "default": problem}
    kind = "application/json"
    good = {"description": "Done", "content": {kind: {"schema": _schema(result, components)}}}
    return {str(rule.status): good, "400": dict(problem), "default": dict(problem)}


def _schema(result: Any, components: dict[str, Any]) -> dict[str, Any]:
    if get_origin(result) is list:
        items = _schema(get_args(result)[0], components)
        return {"type": "object", "properties": {"items": {"type": "array", "items": items}}, "required": ["items"]}
    if result in (dict, Response):
        return {"type": "object"}
    schema = TypeAdapter(result).json_schema(mode="serialization", ref_template=REFS)
    for name, inner in schema.pop("$defs", {}).items():
        components[name] = Schema(**inner)
    components[result.__name__] = Schema(**schema)
    return {"$ref": REFS.format(model=result.__name__)}
