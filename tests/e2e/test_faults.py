"""Processes die and Redis forgets; nothing that was accepted is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import redis

from tests.e2e.person import Person, Probe, eventually, write
from tests.e2e.sources import PYTHON, SLOW_BUILD
from tests.e2e.test_push import items


def slow_app(person: Person, name: str) -> Path:
    folder = person.repository(name, SLOW_BUILD)
    (folder / ".s2i/bin/assemble").chmod(0o755)
    person.commit(folder)
    person.paasctl("apps", "create", name, "--project", "shop", cwd=folder)
    return folder


def lines_of(person: Person, folder: Path, build: int = 1) -> list[str]:
    """None yet where the push has not reached the build."""
    found = person.paasctl("builds", "logs", str(build), cwd=folder, ok=False)
    return [line.strip() for line in found.stdout.splitlines()]


def test_killed_worker_is_replaced_and_the_build_ends_in_one_release(ada: Person, installation: Any) -> None:
    folder = slow_app(ada, "killed")
    with ada.start("git", "push", "paas", "main", cwd=folder) as pushing:
        eventually(lambda: any("step 4" in line for line in lines_of(ada, folder)))
        killed = time.monotonic()
        for pid in installation.pids("worker"):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: any("attempt 2 of 3" in line for line in lines_of(ada, folder)), 30)
        assert time.monotonic() - killed < 30
        said, _ = pushing.communicate(timeout=120)
        assert pushing.returncode == 0, said
    assert [r["version"] for r in items(ada.read("releases", "list", cwd=folder))] == ["v1"]
    write(folder, {"app.py": PYTHON["app.py"].replace('"one"', '"two"')})
    ada.commit(folder)
    ada.push(folder)
    assert ada.get(ada.read("apps", "info", cwd=folder)["url"]) == (200, "two")


def test_redis_flush_in_the_middle_of_three_builds_loses_nothing(ada: Person, installation: Any) -> None:
    folders = [slow_app(ada, f"flush{n}") for n in range(3)]
    pushes = [ada.start("git", "push", "paas", "main", cwd=folder) for folder in folders]
    eventually(lambda: any("step 4" in line for line in lines_of(ada, folders[0])))
    redis.Redis.from_url(installation.settings.redis).flushall()
    for pushing, folder in zip(pushes, folders, strict=True):
        with pushing:
            said, _ = pushing.communicate(timeout=180)
        assert pushing.returncode == 0, said
        steps = [line.split("step ")[1] for line in lines_of(ada, folder) if "step " in line]
        assert steps == [str(n) for n in range(1, 41)]
        assert ada.read("apps", "info", cwd=folder)["state"] == "live"


def test_apps_serve_while_the_platform_is_down_and_all_comes_back(ada: Person, installation: Any) -> None:
    folder = ada.repository("back", PYTHON)
    ada.paasctl("apps", "create", "back", "--project", "shop", cwd=folder)
    ada.push(folder)
    url = ada.read("apps", "info", cwd=folder)["url"]
    with Probe(ada, url) as probe:
        for name in ("web", "worker", "beat", "logs", "registry", "redis"):
            for pid in installation.pids(name):
                os.kill(pid, signal.SIGKILL)
        time.sleep(3)
    assert probe.failures == []
    installation.down()
    installation.up()
    assert ada.get(url) == (200, "one")
    write(folder, {"app.py": PYTHON["app.py"].replace('"one"', '"two"')})
    ada.commit(folder)
    ada.push(folder)
    assert ada.get(url) == (200, "two")


def test_removed_instance_comes_back(ada: Person, installation: Any) -> None:
    folder = ada.repository("removed", PYTHON)
    ada.paasctl("apps", "create", "removed", "--project", "shop", cwd=folder)
    ada.push(folder)
    url = ada.read("apps", "info", cwd=folder)["url"]
    label = f"label=io.paas.installation={installation.name}"
    found = subprocess.run(
        ["docker", "ps", "-q", "--filter", label, "--filter", "label=io.paas.app=removed"],
        capture_output=True, text=True, timeout=30, check=True,
    ).stdout.split()  # fmt: skip
    assert len(found) == 1
    subprocess.run(["docker", "rm", "-f", *found], capture_output=True, timeout=60, check=True)
    eventually(lambda: ada.get(url) == (200, "one"), 30)


def test_crashed_process_is_restarted(ada: Person) -> None:
    folder = ada.repository("crash", {**PYTHON, "app.py": PYTHON["app.py"].replace(
        "def do_GET(self):", "def do_GET(self):\n        if self.path == '/die': os._exit(1)"
    )})  # fmt: skip
    ada.paasctl("apps", "create", "crash", "--project", "shop", cwd=folder)
    ada.push(folder)
    url = ada.read("apps", "info", cwd=folder)["url"]
    threading.Thread(target=lambda: ada.get(url, "/die"), daemon=True).start()
    eventually(lambda: items(ada.read("ps", cwd=folder))[0]["restarts"] == 1)
    eventually(lambda: ada.get(url) == (200, "one"))
