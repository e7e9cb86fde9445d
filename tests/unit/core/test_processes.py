from __future__ import annotations

import pytest

from paas.core import processes
from paas.core.processes import HealthCheck
from paas.errors import InvalidInput


def test_app_json_names_a_path() -> None:
    checks = processes.parse_app_json(
        b'{"healthchecks": {"web": [{"type": "startup", "path": "/healthz", "timeout": 5}]}}'
    )
    assert checks == {"web": HealthCheck("http", "/healthz", named=True, timeout=5)}


def test_app_json_listening_means_the_port() -> None:
    assert processes.parse_app_json(b'{"healthchecks": {"web": [{"listening": true}]}}')["web"].kind == "port"


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[" * 100_000,
        b'{"healthchecks": []}',
        b'{"healthchecks": {"web": {}}}'[:-2] + b"1}}",
        b'{"healthchecks": {"web": [{"path": "x"}]}}',
        b'{"healthchecks": {"web": [{"path": "/a b"}]}}',
        b'{"healthchecks": {"web": [{"path": "/a\\r\\nX: y"}]}}',
        b'{"healthchecks": {"web": [{"timeout": "5"}]}}',
        b'{"healthchecks": {"web": [{"timeout": true}]}}',
        b'{"healthchecks": {"web": [{"timeout": 1e9}]}}',
    ],
)
def test_app_json_refuses(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        processes.parse_app_json(content)


@pytest.mark.parametrize(
    ("named", "status", "healthy"), [(False, 404, True), (False, 500, False), (True, 404, False), (True, 302, True)]
)
def test_a_named_path_must_succeed(named: bool, status: int, healthy: bool) -> None:
    assert processes.is_healthy_status(HealthCheck(named=named), status) is healthy


def test_formation_defaults_to_one_web() -> None:
    assert processes.initial_formation({"web": 1, "worker": 1}, {"worker": 2}) == {"web": 1, "worker": 2}


@pytest.mark.parametrize("formation", [{"nope": 1}, {"web": -1}, {"web": 101}])
def test_formation_refuses(formation: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        processes.check_formation(formation, {"web": 1})
