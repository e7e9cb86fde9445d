"""A tree in a sandbox, made a compressed layer in a registry: ours beside `docker commit` and `docker push`.

    make up && .venv/bin/python -m bench.export [--rounds 5]

The tree is what pip installs for Flask + pandas + SQLAlchemy, about 200 MB. The peak memory is that of a process of its
own that exports 1 GB. The exit code is 1 where a promise is broken: 4 times faster, under 150 MiB.
"""

from __future__ import annotations

import argparse
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker

from bench import rivals
from bench.subject import EXAMPLE, spread
from paas import bootstrap, settings
from paas.builder import catalog, split
from paas.builder.layering import Layers
from paas.core.builds import Limits
from paas.drivers.docker.images import remove_everything
from paas.drivers.docker.networks import Networks
from paas.drivers.docker.sandbox import DockerSandboxes
from paas.oci.registry import Registry
from paas.ports import Sandbox

MIB = 1024 * 1024
PROMISED_FACTOR, PROMISED_MIB = 4.0, 150
LIMITS = Limits(seconds=900, memory=2048 * MIB, cpus=2, processes=512)
BUILD = "bench-export"
INSTALL = "uv pip install --target /opt/app-root/deps -r /tmp/requirements.txt"
GIGABYTE = (
    "mkdir /opt/app-root/big && cd /opt/app-root/big && head -c 64M /dev/urandom > seed && "
    "for n in $(seq 16); do mkdir $n && (head -c $n /dev/urandom; cat seed) | split -b 256K - $n/; done && rm seed"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", action="store_true", help="export 1 GB and print this process's peak memory")
    chosen = parser.parse_args()
    return peak() if chosen.peak else compare(chosen.rounds)


def compare(rounds: int) -> int:
    engine = docker.from_env()
    with rivals.registry() as address, sandbox() as (opened, container):
        rivals.put(container, "/tmp", {"requirements.txt": (EXAMPLE / "requirements.txt").read_bytes()})
        run(opened, INSTALL)
        ours, theirs = [], []
        for n in range(rounds):
            renew(container)
            ours.append(export(opened, f"http://{address}", f"ours{n}"))
            renew(container)
            theirs.append(commit_and_push(engine, container, f"{address}/theirs{n}"))
    factor = statistics.median(theirs) / statistics.median(ours)
    told = subprocess.run([sys.executable, "-m", "bench.export", "--peak"], capture_output=True, text=True, check=True)
    most = int(told.stdout)
    print(f"export of about 200 MB, {rounds} rounds, medians, seconds")
    print(f"  sandbox -> layer -> registry  {statistics.median(ours):6.2f}   all: {spread(ours)}")
    print(f"  docker commit + docker push   {statistics.median(theirs):6.2f}   all: {spread(theirs)}")
    kept = factor >= PROMISED_FACTOR, most <= PROMISED_MIB
    print(f"  {'kept  ' if kept[0] else 'BROKEN'} {factor:.1f}x faster (at least {PROMISED_FACTOR})")
    print(f"  {'kept  ' if kept[1] else 'BROKEN'} peak memory for 1 GB: {most} MiB (at most {PROMISED_MIB})")
    return 0 if all(kept) else 1


def peak() -> int:
    """The whole way of a gigabyte in this process; prints its peak in MiB."""
    with rivals.registry() as address, sandbox() as (opened, _):
        run(opened, GIGABYTE)
        export(opened, f"http://{address}", "peak")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    return 0


@contextmanager
def sandbox() -> Iterator[tuple[Sandbox, Any]]:
    """An open sandbox on the python builder, and its container. Not the platform's: that would tidy it up."""
    chosen = settings.load()
    engine, name = bootstrap.engine(chosen), f"bench{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory() as folder:
        sandboxes = DockerSandboxes(
            engine,
            installation=name,
            settings=bootstrap.sandbox_settings(chosen),
            registry_auth=bootstrap.registry_auth(bootstrap.token_source(chosen)),
            networks=Networks(engine, name, Path(folder)),
        )
        opened = sandboxes.open(builder_reference(), LIMITS, build_id=BUILD)
        try:
            listed = docker.from_env().containers.list(filters={"label": f"io.paas.installation={name}"})
            yield opened, listed[0]
        finally:
            opened.close()
            remove_everything(engine, name)


def builder_reference() -> str:
    chosen = settings.load()
    registry = Registry(chosen.registry_url, bootstrap.token_source(chosen))
    builder = catalog.load(chosen.builders)["python"]
    digest = registry.digest_of(builder.repository, builder.version)
    return f"{chosen.registry_host}/{builder.repository}@{digest}"


def run(opened: Sandbox, script: str) -> None:
    said: list[str] = []
    if code := opened.run(("sh", "-c", script), {}, said.append):
        raise SystemExit(f"{script[:60]} ended with {code}:\n" + "\n".join(said[-20:]))


def renew(container: Any) -> None:
    """Another tree by a few bytes: the engine does not push again what its registry has from a round before."""
    rivals.put(container, "/opt/app-root/deps", {"round": secrets.token_bytes(64)})


def export(opened: Sandbox, url: str, repository: str) -> float:
    """Seconds."""
    began = time.monotonic()
    with Registry(url) as registry, Layers(registry, repository) as layers:
        split.cut(opened.changes(("/tmp",)), lambda path: "dependencies", layers.open)
        layers.finish()
    return time.monotonic() - began


def commit_and_push(engine: Any, container: Any, name: str) -> float:
    """Seconds."""
    began = time.monotonic()
    container.commit(name, "latest")
    for message in engine.api.push(name, "latest", stream=True, decode=True):
        if "error" in message:
            raise SystemExit(message["error"])
    seconds = time.monotonic() - began
    engine.images.remove(f"{name}:latest", force=True)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
