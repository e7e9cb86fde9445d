"""What the engine is asked for, as values: names, labels and container bodies.

Pure. Everything a tenant's code runs in has no capability, no privilege to gain, no mount and no published
port, a memory limit without swap, a process limit and bounded logs (CIS Docker benchmark, part 5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paas.core.builds import Limits
from paas.core.processes import DEFAULT_PORT
from paas.core.releases import DeploySpec, ProcessSpec, Start
from paas.ports import RunSpec

PREFIX = "io.paas."
INSTALLATION = PREFIX + "installation"
ROLE = PREFIX + "role"
"""instance, run, sandbox, network or image"""
APP_ID = PREFIX + "app-id"
PROJECT_ID = PREFIX + "project-id"
INSTANCE_ID = PREFIX + "instance-id"
RELEASE = PREFIX + "release"
PROCESS = PREFIX + "process"
INDEX = PREFIX + "index"
KEY = PREFIX + "key"
HOST = PREFIX + "host"
ROUTED = PREFIX + "routed"
BUILD_ID = PREFIX + "build-id"
APP = PREFIX + "app"
PROJECT = PREFIX + "project"

DEFAULT_USER = "1001:0"
ROOT = "0:0"
KEEP_RUNNING = {"Name": "always", "MaximumRetryCount": 0}
"""Not `unless-stopped`: an engine that was killed stops its containers when it starts, and leaves those stopped."""
_NUMERIC_USER = re.compile(r"0*([1-9][0-9]{0,8})(?::([0-9]{1,9}))?")
ROOT_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID")
"""What root needs to install packages. Not among them: devices, raw sockets, file capabilities, mounts, chroot."""
_LOGS = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}

Body = dict[str, Any]


def instance_name(installation: str, instance_id: str) -> str:
    return f"paas-{installation}-i-{instance_id}"


def run_name(installation: str, run_id: str) -> str:
    return f"paas-{installation}-r-{run_id}"


def sandbox_name(installation: str, build_id: str, number: str) -> str:
    return f"paas-{installation}-s-{build_id}-{number}"


def network_name(installation: str, project_id: str) -> str:
    return f"paas-{installation}-n-{project_id}"


def builds_network(installation: str) -> str:
    return f"paas-{installation}-builds"


def labels(installation: str, role: str, **more: str) -> dict[str, str]:
    """Ours, with `app_id` spelled `io.paas.app-id`."""
    named = {PREFIX + name.replace("_", "-"): value for name, value in more.items()}
    return {INSTALLATION: installation, ROLE: role, **named}


def own(installation: str, role: str = "", **more: str) -> list[str]:
    """The engine's filter for our own things: `label=value` each."""
    wanted = labels(installation, role, **more)
    return [f"{name}={value}" for name, value in wanted.items() if value]


def numeric_user(image_user: str) -> str:
    """Whom to run as: the image's user if it is a number other than 0, else the platform's."""
    match = _NUMERIC_USER.fullmatch(image_user.partition(":")[0])
    if not match:
        return DEFAULT_USER
    group = image_user.partition(":")[2]
    return f"{match[1]}:{int(group)}" if group.isdecimal() and group.isascii() else f"{match[1]}:0"


def instance_env(spec: DeploySpec, process: ProcessSpec, index: int) -> dict[str, str]:
    """Config, then what only the platform knows."""
    return _platform_env(spec.env, spec.app, spec.project, f"{process.type}.{index}") | {
        "PAAS_RELEASE": f"v{spec.number}"
    }


def _platform_env(config: Mapping[str, str], app: str, project: str, name: str) -> dict[str, str]:
    ours = {"PORT": str(DEFAULT_PORT), "PAAS_APP": app, "PAAS_PROJECT": project, "PAAS_INSTANCE": name, "DYNO": name}
    return {**config, **ours}


def instance(
    installation: str, step: Start, *, user: str, network: str, address: str, memory: int, processes: int
) -> Body:
    """An instance that the engine does not restart: that begins once it was healthy."""
    spec, process = step.spec, step.process
    labelled = labels(
        installation,
        "instance",
        app_id=spec.app_id,
        project_id=spec.project_id,
        instance_id=step.instance_id,
        release=str(spec.number),
        process=process.type,
        index=str(step.index),
        key=spec.key(process),
        host=spec.hosts[0] if spec.hosts else "",
        routed="yes" if process.routed else "no",
        app=spec.app,
        project=spec.project,
    )
    return {
        "Image": spec.image,
        "Hostname": f"{process.type}-{step.index}",
        **_program(process.command, instance_env(spec, process, step.index), user),
        "Labels": labelled,
        "HostConfig": {**_confined(memory, processes), "NetworkMode": network},
        "NetworkingConfig": _at(network, address),
    }


def run(
    installation: str, spec: RunSpec, *, user: str, network: str, address: str, memory: int, processes: int
) -> Body:
    """A one-off process."""
    labelled = labels(
        installation,
        "run",
        app_id=spec.app_id,
        project_id=spec.project_id,
        instance_id=spec.id,
        process="run",
        app=spec.app,
        project=spec.project,
    )
    return {
        "Image": spec.image,
        "Hostname": "run",
        **_program(spec.command, _platform_env(spec.env, spec.app, spec.project, "run.1"), user),
        "Labels": labelled,
        "HostConfig": {**_confined(memory, processes), "NetworkMode": network},
        "NetworkingConfig": _at(network, address),
    }


@dataclass(frozen=True)
class Inside:
    """What a sandbox's programs find."""

    env: Mapping[str, str]
    network: str
    wait: Sequence[str] = ("sleep", "infinity")
    """The program that keeps it there."""
    mounts: Mapping[str, str] = field(default_factory=dict)
    """Files and folders to read: path on the host by path inside."""
    as_root: bool = False


def sandbox(installation: str, image: str, limits: Limits, inside: Inside, *, build_id: str) -> Body:
    """A container that waits for programs to run in it."""
    confined = _confined(limits.memory, limits.processes)
    if inside.as_root:
        confined["CapAdd"] = list(ROOT_CAPABILITIES)
    confined["Mounts"] = [
        {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}
        for target, source in sorted(inside.mounts.items())
    ]
    return {
        "Image": image,
        "Hostname": "build",
        # An engine gives an exec no more rights than the container began with.
        **_program(inside.wait, inside.env, ROOT if inside.as_root else DEFAULT_USER),
        "Labels": labels(installation, "sandbox", build_id=build_id),
        "HostConfig": {**confined, "NanoCpus": limits.cpus * 1_000_000_000, "NetworkMode": inside.network},
    }


def _program(command: Sequence[str], env: Mapping[str, str], user: str) -> Body:
    """The argument list as it is: an image's entry point adds nothing to it."""
    return {
        "Entrypoint": list(command[:1]),
        "Cmd": list(command[1:]),
        "Env": [f"{name}={value}" for name, value in sorted(env.items())],
        "User": user,
        "Tty": False,
        "OpenStdin": False,
        "ExposedPorts": {},
        "Healthcheck": {"Test": ["NONE"]},
    }


def _confined(memory: int, processes: int) -> Body:
    return {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Privileged": False,
        "Init": True,
        "PidsLimit": processes,
        "Memory": memory,
        "MemorySwap": memory,
        "LogConfig": _LOGS,
        "RestartPolicy": {"Name": "no"},
        "PublishAllPorts": False,
        "PortBindings": {},
        "Binds": [],
        "Mounts": [],
        "IpcMode": "private",
        "AutoRemove": False,
    }


def _at(network: str, address: str) -> Body:
    return {"EndpointsConfig": {network: {"IPAMConfig": {"IPv4Address": address}}}}
