from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from paas.errors import BuildFailed, PaasError, Unavailable
from paas.web import errors
from paas.web.server import create_server
from tests.factories import make_platform
from tests.unit.web.conftest import PASSWORD, World

A = "/projects/shop/apps/front"


def test_errors_have_one_shape(world: World) -> None:
    for role, method, path, status in (
        ("anonymous", "GET", "/whoami", 401),
        ("view", "DELETE", A, 403),
        ("view", "GET", "/projects/nope", 404),
        ("view", "GET", "/nowhere", 404),
        ("view", "PUT", "/whoami", 405),
        ("view", "GET", f"{A}/builds/x", 400),
        ("view", "GET", f"{A}/builds?limit=0", 400),
    ):
        answer = world.call(role, method, path)
        body = answer.get_json(force=True)
        assert answer.status_code == status == body["status"]
        assert answer.mimetype == "application/problem+json"
        assert set(body) >= {"type", "title", "status", "detail", "hint"}


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"{\\"name\\": \\"x\\"}"', "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"name": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b'{"name": "\\ud800"}', "application/json", 400),
        (b'{"name": "a\\u0000b"}', "application/json", 400),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b'{"name": "x"}', "text/plain", 415),
        (b'{"name": "' + b"x" * (1024 * 1024) + b'"}', "application/json", 413),
    ],
)
def test_bad_bodies_are_refused(world: World, data: bytes, kind: str, status: int) -> None:
    answer = world.call("view", "POST", "/projects", data=data, content_type=kind)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.mimetype == "application/problem+json"


def test_refusal_names_the_field_and_never_repeats_the_value(world: World) -> None:
    answer = world.call("edit", "PATCH", f"{A}/config", json={"set": {"KEY": ["hunter2"]}})
    assert answer.status_code == 400
    assert answer.get_json(force=True)["field"] == "set.KEY"
    assert b"hunter2" not in answer.data


@pytest.mark.parametrize(
    "body",
    [{"rollback_to": "1"}, {"rollback_to": False}, {"rollback_to": 2**40}, {}, {"rollback_to": 1, "force": True}],
)
def test_numbers_are_numbers_and_unknown_fields_are_refused(world: World, body: dict[str, Any]) -> None:
    assert world.call("edit", "POST", f"{A}/releases", json=body).status_code == 400


def test_answers_carry_the_headers_of_their_kind(world: World) -> None:
    for path in ("/", "/api/v1/healthz", "/git/a/b.git/info/refs", "/nowhere"):
        headers = world.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "Cache-Control" in headers
        assert len(headers["X-Request-Id"]) == 32
        assert "Access-Control-Allow-Origin" not in headers


def test_git_is_told_in_plain_text_how_to_log_in(world: World) -> None:
    answer = world.client.get("/git/shop/front.git/info/refs?service=git-upload-pack")
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="paas"')
    assert answer.mimetype == "text/plain"


def test_password_gives_a_token_that_ends_with_the_logout(world: World) -> None:
    answer = world.client.post("/api/v1/tokens", json={"name": "laptop"}, auth=("view", PASSWORD))
    token = {"Authorization": f"Bearer {answer.get_json()['token']}"}
    assert world.client.get("/api/v1/whoami", headers=token).get_json()["name"] == "view"
    assert world.client.delete("/api/v1/tokens/current", headers=token).status_code == 204
    assert world.client.get("/api/v1/whoami", headers=token).status_code == 401


def test_guessing_a_password_is_slowed_down(world: World) -> None:
    server = create_server(world.platform).test_client()
    codes = [server.post("/api/v1/tokens", json={"name": "x"}, auth=("edit", "wrong")).status_code for _ in range(8)]
    assert codes[:5] == [401] * 5
    assert codes[-1] == 429
    answer = server.post("/api/v1/tokens", json={"name": "x"}, auth=("edit", PASSWORD))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert server.post("/api/v1/tokens", json={"name": "x"}, auth=("view", PASSWORD)).status_code == 201


def test_description_is_openapi_and_names_every_route(world: World) -> None:
    document = world.client.get("/api/v1/openapi.json").get_json()
    assert document["openapi"] == "3.1.0"
    described = {
        (path, method.upper())
        for path, methods in document["paths"].items()
        for method in methods
        if method != "parameters"
    }
    routed = {
        (str(rule).replace("<", "{").replace(">", "}"), method)
        for rule in world.server.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
        if str(rule).startswith("/api/v1/") and rule.endpoint != "openapi"
    }
    assert described == routed
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert name in document["components"]["schemas"], name
    operations = [op for methods in document["paths"].values() for op in methods.values()]
    assert len({op["operationId"] for op in operations}) == len(operations)
    assert all(op["responses"] and op.get("summary") for op in operations)


def test_story_is_streamed_up_to_its_end_and_resumed(world: World) -> None:
    answer = world.call("view", "GET", f"{A}/events?follow=1&source=build/1&until=build/1")
    assert answer.mimetype == "text/event-stream"
    text = answer.get_data(as_text=True)
    assert text.startswith(": connected\n\n")
    assert text.endswith('event: done\ndata: {"until":"build/1"}\n\n')
    numbers = [int(line[4:]) for line in text.splitlines() if line.startswith("id: ")]
    page = world.call("view", "GET", f"{A}/events?source=build/1").get_json()
    assert [item["number"] for item in page["items"]] == numbers
    rest = world.call(
        "view", "GET", f"{A}/events?follow=1&source=build/1&until=build/1", headers={"Last-Event-ID": str(numbers[-2])}
    ).get_data(as_text=True)
    assert [line for line in rest.splitlines() if line.startswith("id: ")] == [f"id: {numbers[-1]}"]
    bad = world.call("view", "GET", f"{A}/events?follow=1", headers={"Last-Event-ID": "-1"})
    assert bad.status_code == 400


def test_run_streams_its_lines_and_its_exit_code(world: World) -> None:
    answer = world.call("edit", "POST", f"{A}/runs", json={"command": ["echo", "hi"]})
    assert answer.mimetype == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]
    assert lines == [{"line": "ran echo hi"}, {"exit": 0}]


def test_debug_mode_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    with pytest.raises(PaasError, match="debug"):
        create_server(make_platform(tmp_path))


@pytest.fixture
def small() -> Flask:
    server = Flask("small")
    errors.install(server)

    def fail() -> str:
        raise KeyError("secret detail")

    def wait() -> str:
        raise Unavailable("later", retry_after=7)

    def built() -> str:
        raise BuildFailed("no", reason="AssembleFailed", stage="assemble", hint="h", status="forged", lines=3)

    for view in (fail, wait, built):
        server.add_url_rule(f"/{view.__name__}", view_func=view)
    return server


def test_unexpected_errors_tell_nothing(small: Flask) -> None:
    answer = small.test_client().get("/fail")
    assert answer.status_code == 500
    assert b"secret" not in answer.data
    assert b"KeyError" not in answer.data


def test_unavailable_says_when_to_come_back(small: Flask) -> None:
    answer = small.test_client().get("/wait")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_facts_go_out_and_cannot_forge_the_status(small: Flask) -> None:
    body = small.test_client().get("/built").get_json(force=True)
    assert (body["status"], body["reason"], body["stage"], body["lines"]) == (422, "AssembleFailed", "assemble", 3)
