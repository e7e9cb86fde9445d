"""An app under test, and the clock that watches its router: shared by the benches."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

from paas import settings

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "flask-pandas"
PAASCTL = Path(sys.executable).parent / "paasctl"


def call(*argv: str, cwd: Path) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def answer(address: tuple[str, int], host: str) -> str:
    """The body of GET /, or nothing."""
    connection = http.client.HTTPConnection(*address, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": host})
        response = connection.getresponse()
        body = response.read().decode("utf-8", "replace")
        return body if response.status == 200 else ""
    except OSError:
        return ""
    finally:
        connection.close()


def await_answer(address: tuple[str, int], host: str, wanted: str, since: float) -> float:
    """Seconds from `since` to the first answer that has `wanted` in it; at most two minutes."""
    while time.monotonic() - since < 120:
        if wanted in answer(address, host):
            return time.monotonic() - since
        time.sleep(0.01)
    sys.exit(f"{host} never answered with {wanted!r}")


class Subject:
    """An app under test: a repository, changed and pushed."""

    def __init__(self, folder: Path, example: Path = EXAMPLE, project: str = "", app: str = "subject") -> None:
        self.folder, self.app = folder, app
        self.name = project or f"bench{uuid.uuid4().hex[:6]}"
        shutil.copytree(example, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git"))
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "bench@example.org")
        self.git("config", "user.name", "bench")
        if not project:
            call(str(PAASCTL), "projects", "create", self.name, cwd=folder)
        call(str(PAASCTL), "apps", "create", app, "--project", self.name, cwd=folder)

    @property
    def host(self) -> str:
        return f"{self.app}-{self.name}.{settings.load().domain}"

    def git(self, *argv: str) -> None:
        call("git", *argv, cwd=self.folder)

    def info(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.paasctl("apps", "info", "--json"))
        return found

    def paasctl(self, *argv: str) -> str:
        return call(str(PAASCTL), *argv, "--app", self.app, "--project", self.name, cwd=self.folder)

    def last_build(self) -> dict[str, object]:
        found = json.loads(self.paasctl("builds", "list", "--json"))
        build: dict[str, object] = (found["items"] if isinstance(found, dict) else found)[0]
        return build

    def set_version(self, version: str) -> None:
        path = self.folder / "app.py"
        path.write_text(re.sub(r'VERSION = ".*"', f'VERSION = "{version}"', path.read_text()))
        self.commit(version)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def push(self, version: str, address: tuple[str, int]) -> float:
        started = time.monotonic()
        with subprocess.Popen(
            ["git", "push", "-q", "paas", "main"], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as pushing:
            seconds = await_answer(address, self.host, version, started)
            _, told = pushing.communicate(timeout=120)
            if pushing.returncode:
                sys.exit(told.decode())
        return seconds

    def remove(self, *, with_project: bool = True) -> None:
        call(str(PAASCTL), "apps", "delete", self.app, "--project", self.name, "--yes", cwd=self.folder)
        if not with_project:
            return
        call(str(PAASCTL), "projects", "delete", self.name, "--yes", cwd=self.folder)


def spread(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)
