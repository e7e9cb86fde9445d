"""Configuration files of the parts that are not ours, as text made from values. Pure.

Whoever shares the machine reaches none of them: sockets in a folder of mode 0700, the registry on loopback.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from paas.bootstrap import AUDIENCE, ISSUER, KEYS
from paas.oci.tokens import CERTIFICATE_FILE
from paas.settings import Settings

GROUP = "paas"
STOP_SECONDS = 10
"""What is not over by then is killed; its lease runs out and another worker takes it up."""


def redis(settings: Settings) -> str:
    """Nothing is kept on disk: Redis carries ids and signals, the database is the truth."""
    return "\n".join(
        [
            "port 0",
            f"unixsocket {settings.run_folder / 'redis.sock'}",
            "unixsocketperm 600",
            f"dir {settings.state / 'redis'}",
            'save ""',
            "appendonly no",
            "maxmemory-policy noeviction",
            "daemonize no",
            "",
        ]
    )


def registry(settings: Settings, http_secret: str) -> str:
    """JSON, which is YAML. No cache of descriptors: a digest would outlive its deletion in it."""
    config = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(settings.state / "registry")},
            "delete": {"enabled": True},
        },
        "http": {"addr": settings.registry_host, "secret": http_secret},
        "auth": {
            "token": {
                "realm": f"{settings.registry_url}/tokens-come-from-the-platform",
                "service": AUDIENCE,
                "issuer": ISSUER,
                "rootcertbundle": str(settings.state / KEYS / CERTIFICATE_FILE),
            }
        },
    }
    return json.dumps(config, indent=1) + "\n"


def supervisord(settings: Settings, programs: Mapping[str, Sequence[str]], root: Path) -> str:
    """Every program is restarted whenever it ends; its output goes to a log that is rotated."""
    run, log = settings.run_folder, settings.state / "log"
    sections: dict[str, Mapping[str, object]] = {
        "unix_http_server": {"file": run / "supervisor.sock", "chmod": "0600"},
        "supervisord": {
            "pidfile": run / "supervisord.pid",
            "logfile": log / "supervisord.log",
            "logfile_maxbytes": "10MB",
            "logfile_backups": 2,
            "childlogdir": log,
            "umask": "077",
            "directory": root,
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "supervisorctl": {"serverurl": f"unix://{run / 'supervisor.sock'}"},
        f"group:{GROUP}": {"programs": ",".join(programs)},
        **{f"program:{name}": _program(argv, log / f"{name}.log", root) for name, argv in programs.items()},
    }
    return "\n".join(
        f"[{title}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for title, entries in sections.items()
    )


def _program(argv: Sequence[str], log: Path, root: Path) -> dict[str, object]:
    return {
        "command": shlex.join(argv).replace("%", "%%"),
        "directory": root,
        "autorestart": "true",
        "startsecs": 1,
        "startretries": 1_000_000,  # with growing pauses: a part that waits for a disk or a database is not given up
        "stopsignal": "TERM",
        "stopwaitsecs": STOP_SECONDS,
        "stopasgroup": "false",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": log,
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": 3,
    }


def systemd_unit(settings: Settings, paas: Path) -> str:
    """Brings the platform back after a reboot. The settings come from the state folder."""
    return f"""\
[Unit]
Description=paas: git push to a running app
After=network.target docker.service
Wants=docker.service

[Service]
Type=simple
Environment=PAAS_STATE={settings.state}
ExecStart={paas} supervise
KillMode=mixed
TimeoutStopSec={STOP_SECONDS * 2}
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""
