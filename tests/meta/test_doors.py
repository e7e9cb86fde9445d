"""Programs are started in one module, by argument list; connections are opened in few; all of them end in time."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.meta.code import Module, keywords, module, modules

STARTS_PROGRAMS = {
    "paas/programs.py": "the one module for the platform's own programs",
    "paas/cli/git.py": "paasctl runs the user's own git in the user's environment, and is installed alone",
    "paas/__main__.py": "`paas supervise` becomes supervisord, which systemd watches by its process id",
}
OPENS_CONNECTIONS = {
    "paas/oci/transport.py": "the registry's client",
    "paas/oci/uploads.py": "the registry's client: its errors",
    "paas/builder/git_source.py": "asks the resolver where a repository's host is",
    "paas/cli/client.py": "paasctl's client of the API",
    "paas/drivers/docker/client.py": "the engine's library raises this library's errors",
    "paas/drivers/docker/haproxy.py": "the router's run-time socket",
    "paas/drivers/docker/health.py": "asks instances whether they are healthy",
    "paas/git/hooks.py": "a pair of sockets to our own hook",
    "paas/git/sessions.py": "a pair of sockets to our own hook",
    "paas/ops/asking.py": "asks our own router",
    "paas/ops/supervisor.py": "asks our own supervisor",
}
NETWORK = {"socket", "httpx", "http.client", "urllib.request", "urllib3", "requests", "xmlrpc.client", "ftplib"}
PROGRAM_CALLS = {
    *(f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output", "getoutput")),
    *(f"os.{name}" for name in ("system", "popen", "execv", "execve", "execvp", "execvpe", "posix_spawn", "fork")),
    *(f"asyncio.{name}" for name in ("create_subprocess_exec", "create_subprocess_shell")),
    "pty.spawn",
}
NEED_TIMEOUT = {
    "subprocess.run": "timeout",
    "subprocess.call": "timeout",
    "subprocess.check_output": "timeout",
    "programs.run": "timeout",
    "httpx.Client": "timeout",
    "httpx.get": "timeout",
    "httpx.post": "timeout",
    "http.client.HTTPConnection": "timeout",
    "socket.create_connection": "timeout",
    "docker.APIClient": "timeout",
    "redis.Redis.from_url": "socket_timeout",
}


def shells(code: Module) -> Iterator[str]:
    for name, call in code.calls():
        for keyword in call.keywords:
            if keyword.arg == "shell" and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            ):
                yield f"{code.path}:{call.lineno}: {name} with a shell"
        if name in ("os.system", "os.popen", "subprocess.getoutput", "asyncio.create_subprocess_shell"):
            yield f"{code.path}:{call.lineno}: {name} uses a shell"


def programs(code: Module) -> Iterator[str]:
    for name, call in code.calls():
        if name in PROGRAM_CALLS:
            yield f"{code.path}:{call.lineno}: {name}"


def connections(code: Module) -> Iterator[str]:
    for name in code.imports():
        if name in NETWORK or any(name.startswith(f"{known}.") for known in NETWORK):
            yield f"{code.path}: imports {name}"


def endless(code: Module) -> Iterator[str]:
    for name, call in code.calls():
        wanted = NEED_TIMEOUT.get(name)
        if wanted and not {wanted, "**"} & keywords(call):
            yield f"{code.path}:{call.lineno}: {name} without {wanted}"


@pytest.mark.parametrize("code", modules(), ids=lambda code: code.path)
def test_doors(code: Module) -> None:
    assert list(shells(code)) == []
    assert list(endless(code)) == []
    if code.path not in STARTS_PROGRAMS:
        assert list(programs(code)) == []
    if code.path not in OPENS_CONNECTIONS:
        assert list(connections(code)) == []


def test_no_reason_without_its_need() -> None:
    by_path = {code.path: code for code in modules()}
    assert [path for path in STARTS_PROGRAMS if not list(programs(by_path[path]))] == []
    assert [path for path in OPENS_CONNECTIONS if not list(connections(by_path[path]))] == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (shells, "subprocess.run(x, shell=True, timeout=1)"),
        (shells, "os.system('ls')"),
        (programs, "subprocess.Popen(['ls'])"),
        (programs, "os.execve('a', [], {})"),
        (connections, "import socket"),
        (connections, "from urllib.request import urlopen"),
        (connections, "def f():\n    import httpx"),
        (endless, "subprocess.run(['ls'])"),
        (endless, "httpx.Client()"),
        (endless, "redis.Redis.from_url(url)"),
    ],
)
def test_a_door_beside_the_door_is_found(rule, text: str) -> None:
    assert list(rule(module("paas/x.py", text)))
