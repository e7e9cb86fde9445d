"""One command line against an API that is written down as answers: HTTP is faked at the transport, nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from paas.cli import errors
from paas.cli.environment import Environment
from paas.cli.main import cli
from paas.cli.session import Session

URL = "http://paas.localhost:7480"
Answer = Any
APP = {
    "name": "shop",
    "project": "team",
    "url": "http://shop-team.apps.localhost:7480",
    "git_url": f"{URL}/git/team/shop.git",
    "image": "127.0.0.1:7481/apps/1@sha256:" + "a" * 64,
    "release": "v3",
    "state": "live",
    "builder": "python",
    "deploy_branch": "main",
    "formation": {"web": 1},
    "created_at": "2026-11-23T10:00:00.000Z",
}


@dataclass
class Terminal:
    """`answers` by "METHOD /path": JSON, a response, or a function of the request. `seen` are the requests."""

    folder: Path
    answers: Mapping[str, Answer] = field(default_factory=dict)
    remotes: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=lambda: {"url": URL, "token": "paas_t"})
    seen: list[httpx.Request] = field(default_factory=list)

    def session(self) -> Session:
        given = {"config_file": self.folder / "paasctl" / "config.json", **self.environment}
        transport = httpx.MockTransport(self._answer)
        return Session(Environment(**given), transport=transport, remotes=lambda: dict(self.remotes))

    def run(self, *arguments: str) -> int:
        session = self.session()
        return errors.guard(
            lambda: cli.main(list(arguments), prog_name="paasctl", standalone_mode=False, obj=session),
            lambda: session.debug,
        )

    def sent(self) -> list[tuple[str, str, Any]]:
        """Method, path and body of each request."""
        return [
            (r.method, r.url.path.removeprefix("/api/v1"), json.loads(r.content) if r.content else None)
            for r in self.seen
        ]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        key = f"{request.method} {request.url.path.removeprefix('/api/v1')}"
        if key not in self.answers:
            return problem(404, "not_found", f"there is no {key}")
        answer = self.answers[key]
        answer = answer(request) if isinstance(answer, Callable) else answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)


def problem(status: int, code: str, detail: str, **facts: Any) -> httpx.Response:
    return httpx.Response(status, json={"title": code, "status": status, "detail": detail, "hint": "Do so.", **facts})


def event(number: int, text: str, source: str = "app/web.1", kind: str = "line") -> dict[str, Any]:
    return {"number": number, "at": "2026-11-23T10:00:00.123Z", "source": source, "kind": kind, "text": text}


def sse(*events: Mapping[str, Any], done: bool = False) -> str:
    told = ": connected\n\n" + "".join(
        f"id: {e['number']}\nevent: {e['kind']}\ndata: {json.dumps(e, ensure_ascii=False)}\n\n" for e in events
    )
    return told + ('event: done\ndata: {"until":""}\n\n' if done else "")
