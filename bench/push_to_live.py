"""From `git push` to the first answer of the new version, beside the floor, measured in the same run.

    make up && .venv/bin/python -m bench.push_to_live [--rounds 5]

The app is Flask + pandas + SQLAlchemy. The floor is what no platform can go below on this machine: write and
push one small layer of the same image, pull it, start the container, first answer. Medians are printed; the exit
code is 1 where a promise of the issue is broken (source change within 2x of the floor; bytes pushed).
"""

from __future__ import annotations

import argparse
import itertools
import re
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.subject import Subject, await_answer, call, spread
from paas import bootstrap, settings
from paas.oci import images, layers
from paas.oci.archive import Entry
from paas.oci.registry import Registry
from paas.oci.streams import Chunks

PROMISED_FACTOR = 2.0
PROMISED_SLACK = 64 * 1024


def push_layer(registry: Registry, repository: str, body: bytes) -> layers.Layer:
    """A layer that holds the changed source file."""
    with registry.upload(repository) as upload:
        writer = layers.LayerWriter(upload.write)
        for folder in ("opt", "opt/app-root", "opt/app-root/src"):
            writer.add(Entry(folder, "dir", 0o775, uid=1001, gid=0))
        writer.add(Entry("opt/app-root/src/app.py", "file", 0o664, len(body), uid=1001, gid=0), Chunks([body]))
        layer = writer.finish()
        upload.commit(layer.digest)
    return layer


def floor(subject: Subject, version: str) -> tuple[float, dict[str, float]]:
    """One small layer written and pushed, pulled, container started, first answer; seconds in all and by part."""
    import docker

    chosen = settings.load()
    registry = Registry(chosen.registry_url, bootstrap.token_source(chosen))
    repository, _, digest = subject.info()["image"].partition("/")[2].partition("@")
    base = registry.image(repository, digest)
    source = (subject.folder / "app.py").read_text()
    body = re.sub(r'VERSION = ".*"', f'VERSION = "{version}"', source).encode()
    engine = docker.from_env()
    marks = [time.monotonic()]

    layer = push_layer(registry, repository, body)
    command = call("sh", "-c", "grep ^web: Procfile | cut -d: -f2-", cwd=subject.folder).strip()
    image = images.extend(base, [layer], cmd=["/bin/sh", "-c", command])
    pushed = registry.push_image(repository, image)
    marks.append(time.monotonic())
    auth = bootstrap.registry_auth(bootstrap.token_source(chosen))(repository)
    engine.api.pull(f"{chosen.registry_host}/{repository}", tag=pushed, auth_config=auth)
    marks.append(time.monotonic())
    reference = f"{chosen.registry_host}/{repository}@{pushed}"
    container = engine.containers.run(reference, detach=True, environment={"PORT": "8080"}, network="bridge")
    try:
        container.reload()
        address = container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        marks.append(time.monotonic())
        await_answer((address, 8080), "localhost", version, marks[-1])
        marks.append(time.monotonic())
    finally:
        container.remove(force=True)
    parts = dict(zip(("push", "pull", "start", "answer"), (b - a for a, b in itertools.pairwise(marks)), strict=True))
    return marks[-1] - marks[0], parts


def measure(rounds: int) -> int:
    chosen = settings.load()
    address = ("127.0.0.1", chosen.port)
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(Path(folder))
        try:
            return _measure(subject, rounds, address)
        finally:
            subject.remove()


def _measure(subject: Subject, rounds: int, address: tuple[str, int]) -> int:
    subject.set_version("v-first")
    first = subject.push("v-first", address)
    changes: list[float] = []
    floors: list[float] = []
    bytes_pushed: list[int] = []
    parts: dict[str, float] = {}
    for n in range(rounds):
        subject.set_version(f"v-change-{n}")
        changes.append(subject.push(f"v-change-{n}", address))
        ledger = subject.last_build()["ledger"]
        bytes_pushed.append(sum(note["pushed"] for note in ledger))  # type: ignore[attr-defined]
        seconds, parts = floor(subject, f"v-floor-{n}")
        floors.append(seconds)
    requirements = subject.folder / "requirements.txt"
    requirements.write_text(requirements.read_text() + "humanize==4.12.0\n")
    subject.set_version("v-added")
    added = subject.push("v-added", address)
    return report(subject, first, changes, added, floors, parts, bytes_pushed)


def report(
    subject: Subject,
    first: float,
    changes: list[float],
    added: float,
    floors: list[float],
    parts: dict[str, float],
    bytes_pushed: list[int],
) -> int:
    size = sum(path.stat().st_size for path in subject.folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    change, least = statistics.median(changes), statistics.median(floors)
    print(f"push_to_live on {datetime.now(UTC):%Y-%m-%d}: Flask + pandas + SQLAlchemy, {len(changes)} rounds, medians")
    print(f"  first push           {first:7.2f} s")
    print(f"  one-line change      {change:7.2f} s   {change / least:.1f}x of the floor   all: {spread(changes)}")
    print(f"  one dependency added {added:7.2f} s")
    told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in parts.items())
    print(f"  floor                {least:7.2f} s   {told}   all: {spread(floors)}")
    print(f"  bytes pushed for the change: {max(bytes_pushed)} (source: {size})")
    kept = change <= PROMISED_FACTOR * least and max(bytes_pushed) <= size + PROMISED_SLACK
    print(
        "  promises kept"
        if kept
        else f"  BROKEN: change within {PROMISED_FACTOR}x of the floor, bytes under source + 64 KiB"
    )
    return 0 if kept else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    return measure(parser.parse_args().rounds)


if __name__ == "__main__":
    sys.exit(main())
