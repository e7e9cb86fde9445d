"""The installed paasctl against a small HTTP server on loopback, with real git and a HOME of its own."""

from __future__ import annotations

import base64
import json
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = pytest.mark.integration
PAASCTL = Path(sys.executable).parent / "paasctl"
LINES = 200
"""Of the story that the server tells, a few per connection."""


class Handler(BaseHTTPRequestHandler):
    """Logs in `ada`, makes the app `shop`, and breaks every event stream off after a few lines."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.hosts.append(self.headers["Host"])
        url = urlsplit(self.path)
        if url.path.endswith("/events"):
            return self.stream(parse_qs(url.query))
        if url.path.endswith("/whoami"):
            return self.answer(200, {"name": "ada", "is_admin": False, "token": None})
        return self.answer(200, {"items": [self.server.app()]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/apps"):
            return self.answer(201, self.server.app(body["name"]))
        if self.headers["Authorization"] != "Basic " + base64.b64encode(b"ada:right").decode():
            return self.answer(401, {"title": "unauthenticated", "status": 401, "detail": "wrong", "hint": "Again."})
        return self.answer(
            201, {"id": "7", "name": body["name"], "token": "paas_real", "created_at": "", "expires_at": None}
        )

    def do_DELETE(self) -> None:
        self.server.revoked.append(self.headers["Authorization"])
        self.send_response(204)
        self.end_headers()

    def answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, query: dict[str, list[str]]) -> None:
        after = int(query.get("after", ["0"])[0])
        self.server.resumed.append(after)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        last = min(after + 67, LINES)
        for number in range(after + 1, last + 1):
            event = {"number": number, "at": "2026-11-23T10:00:00.000Z", "source": "app/web.1", "kind": "line"}
            self.write(f"id: {number}\nevent: line\ndata: {json.dumps({**event, 'text': f'line {number}'})}\n\n")
        if last < LINES:
            return self.write('id: 999\nevent: line\ndata: {"number": 999, "te')
        if "until" in query:
            return self.write("event: done\ndata: {}\n\n")
        self.server.stop.wait(30)
        return None

    def write(self, text: str) -> None:
        self.wfile.write(text.encode())

    def log_message(self, *parts: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hosts: list[str] = []
        self.resumed: list[int] = []
        self.revoked: list[str] = []
        self.stop = threading.Event()

    @property
    def url(self) -> str:
        return f"http://paas.localhost:{self.server_address[1]}"

    def app(self, name: str = "shop") -> dict[str, Any]:
        return {
            "name": name, "project": "team", "url": f"http://{name}-team.apps.localhost", "release": None,
            "git_url": f"{self.url}/git/team/{name}.git", "image": None, "state": "empty", "builder": "",
            "deploy_branch": "main", "formation": {}, "created_at": "2026-11-23T10:00:00.000Z", "role": "admin",
        }  # fmt: skip


@dataclass
class Person:
    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *argv: str, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, cwd=cwd or self.home, env=self.env(), input=stdin, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    def paasctl(self, *argv: str, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self.run(str(PAASCTL), *argv, cwd=cwd, stdin=stdin)

    def env(self) -> dict[str, str]:
        # a proxy that is not there: names of this machine must not go to it
        proxy = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
        return {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "GIT_TERMINAL_PROMPT": "0", **proxy, **self.environ}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield running
        running.stop.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    return Person(tmp_path)


def login(person: Person, server: Server) -> None:
    done = person.paasctl("login", server.url, "-u", "ada", "--password-stdin", stdin="right\n")
    assert done.returncode == 0, done.stderr


def git_fill(person: Person, server: Server) -> str:
    port = server.server_address[1]
    return person.run("git", "credential", "fill", stdin=f"protocol=http\nhost=paas.localhost:{port}\n\n").stdout


def test_login_gives_git_its_credentials_until_logout(ada: Person, server: Server) -> None:
    ada.run("git", "config", "--global", "credential.helper", "store")
    login(ada, server)
    assert server.hosts == []  # POST only
    config = ada.home / ".config" / "paasctl" / "config.json"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    filled = git_fill(ada, server)
    assert "username=ada\npassword=paas_real\n" in filled
    ada.run("git", "credential", "approve", stdin=filled + "\n")
    assert not (ada.home / ".git-credentials").exists()  # no other helper keeps a copy
    assert ada.paasctl("logout").returncode == 0
    assert server.revoked == ["Bearer paas_real"]
    assert "password" not in git_fill(ada, server)
    assert ada.paasctl("whoami").returncode == 5


def test_second_login_ends_the_token_of_the_first_and_leaves_one_helper(ada: Person, server: Server) -> None:
    login(ada, server)
    login(ada, server)
    assert server.revoked == ["Bearer paas_real"]
    helpers = ada.run("git", "config", "--global", "--get-all", f"credential.{server.url}.helper").stdout
    assert helpers == f"\n{PAASCTL} git-credential\n"


def test_login_with_a_wrong_password_keeps_nothing(ada: Person, server: Server) -> None:
    done = ada.paasctl("login", server.url, "-u", "ada", "--password-stdin", stdin="wrong\n")
    assert (done.returncode, done.stderr) == (5, "Error: wrong\nHint: Again.\n")
    assert not (ada.home / ".config").exists()
    assert not (ada.home / ".gitconfig").exists()
    assert ada.paasctl("login", server.url).returncode == 2


def test_localhost_names_connect_to_this_machine_and_travel_as_host(ada: Person, server: Server) -> None:
    done = ada.paasctl("login", server.url.replace("paas.", "some.where."), "--token-stdin", stdin="paas_given")
    assert done.returncode == 0, done.stderr
    assert server.hosts == [f"some.where.localhost:{server.server_address[1]}"]
    assert ada.paasctl("logout").returncode == 0
    assert server.revoked == []  # a token that was given is not ours to end


def test_apps_create_adds_the_remote_and_then_it_is_the_app(ada: Person, server: Server) -> None:
    login(ada, server)
    folder = ada.home / "shop"
    ada.run("git", "init", "-q", str(folder))
    done = ada.paasctl("apps", "create", "--project", "team", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "git push paas main" in done.stdout
    assert ada.run("git", "remote", "get-url", "paas", cwd=folder).stdout == f"{server.url}/git/team/shop.git\n"
    (folder / "deep").mkdir()
    assert ada.paasctl("logs", "-n", "0", cwd=folder / "deep").returncode == 0
    assert ada.paasctl("logs").returncode == 2
    again = ada.paasctl("apps", "create", "other", "--project", "team", cwd=folder)
    assert "was left so" in again.stderr
    assert f"git push {server.url}/git/team/other.git main" in again.stdout
    assert ada.run("git", "remote", "get-url", "paas", cwd=folder).stdout == f"{server.url}/git/team/shop.git\n"


def test_logs_follow_across_broken_connections_without_loss_or_doubling(ada: Person, server: Server) -> None:
    login(ada, server)
    argv = [str(PAASCTL), "logs", "team/shop", "-f", "-n", "1000", "--json"]
    with subprocess.Popen(argv, env=ada.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        numbers = [json.loads(process.stdout.readline())["number"] for _ in range(LINES)]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        told = process.stderr.read()
    assert numbers == list(range(1, LINES + 1))
    assert server.resumed == [0, 67, 134]
    assert "Traceback" not in told
    assert "Error" not in told


def test_platform_that_is_down_is_75_and_says_what_to_do(ada: Person) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        ada.environ = {"PAASCTL_URL": f"http://paas.localhost:{unused.getsockname()[1]}", "PAASCTL_TOKEN": "x"}
        done = ada.paasctl("whoami")
    assert done.returncode == 75
    assert "make up" in done.stderr


def test_output_into_a_closed_pipe_is_quiet(ada: Person, server: Server) -> None:
    login(ada, server)
    done = ada.run("sh", "-c", f"{PAASCTL} logs team/shop -f --json | head -n 2")
    assert len(done.stdout.splitlines()) == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["git-credential", "get"]])
def test_start_is_fast_and_imports_nothing_slow(ada: Person, arguments: list[str]) -> None:
    code = f"import sys; from paas.cli.main import main; main({arguments!r}); print(*sys.modules, file=sys.stderr)"
    loaded = set(ada.run(sys.executable, "-c", code).stderr.split())
    assert "paas.cli.main" in loaded
    assert not loaded & {"httpx", "rich", "ssl", "flask", "sqlalchemy", "docker", "celery", "pydantic", "asyncio"}
    times = []
    for _ in range(5):
        start = time.perf_counter()
        assert ada.paasctl(*arguments).returncode == 0
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5  # 0.1 s on an idle machine
