"""The parts' files: what an attacker on the machine, or a restart, would look for."""

from __future__ import annotations

import configparser
import json
import shlex
from pathlib import Path

from paas.ops import render
from paas.settings import Settings

SETTINGS = Settings(state=Path("/srv/p"), registry_port=7999)


def test_redis_has_no_port_keeps_nothing_and_drops_nothing() -> None:
    lines = render.redis(SETTINGS).splitlines()
    assert "port 0" in lines
    assert "unixsocket /srv/p/run/redis.sock" in lines
    assert "maxmemory-policy noeviction" in lines
    assert {'save ""', "appendonly no"} <= set(lines)


def test_registry_is_on_loopback_and_asks_for_our_tokens() -> None:
    found = json.loads(render.registry(SETTINGS, "a secret"))
    assert found["http"] == {"addr": "127.0.0.1:7999", "secret": "a secret"}
    assert found["auth"]["token"]["rootcertbundle"] == "/srv/p/keys/registry-token.crt"
    assert found["storage"]["delete"] == {"enabled": True}
    assert "cache" not in found["storage"]


def read(text: str) -> configparser.ConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(text)
    return parser


def test_supervisor_restarts_everything_and_keeps_arguments_whole() -> None:
    argv = ["gunicorn", "--config", "python:x", "100%", "two words"]
    found = read(render.supervisord(SETTINGS, {"web": argv, "beat": ["beat"]}, Path("/srv/checkout")))
    assert found["group:paas"]["programs"] == "web,beat"
    for name in ("web", "beat"):
        program = found[f"program:{name}"]
        assert program["autorestart"] == "true"
        assert program["killasgroup"] == "true"
        assert program["stdout_logfile"] == f"/srv/p/log/{name}.log"
    assert shlex.split(found["program:web"]["command"].replace("%%", "%")) == argv
    assert found["unix_http_server"]["chmod"] == "0600"


def test_unit_starts_this_platform_after_the_engine() -> None:
    found = read(render.systemd_unit(SETTINGS, Path("/srv/checkout/.venv/bin/paas")))
    assert found["Service"]["Environment"] == "PAAS_STATE=/srv/p"
    assert found["Service"]["ExecStart"] == "/srv/checkout/.venv/bin/paas supervise"
    assert "docker.service" in found["Unit"]["After"]
    assert found["Install"]["WantedBy"] == "multi-user.target"
