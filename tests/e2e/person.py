"""A person at a terminal: an own HOME, the real paasctl, the real git, the real HTTP."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paas.settings import Settings

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent


@dataclass
class Person:
    """Types commands; `settings` say where the platform is."""

    home: Path
    settings: Settings
    environ: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, *argv: str, cwd: Path | None = None, ok: bool = True, timeout: int = 300
    ) -> subprocess.CompletedProcess[str]:
        environ = {
            "HOME": str(self.home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "GIT_TERMINAL_PROMPT": "0",
            "LANG": "C.UTF-8",
            **self.environ,
        }
        done = subprocess.run(
            argv, cwd=cwd or self.home, env=environ, capture_output=True, text=True, timeout=timeout, check=False
        )
        if ok:
            assert done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *argv: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        environ = {"HOME": str(self.home), "PATH": f"{BIN}:{os.environ['PATH']}", "GIT_TERMINAL_PROMPT": "0"}
        return subprocess.Popen(
            argv, cwd=cwd or self.home, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def paasctl(self, *argv: str, cwd: Path | None = None, ok: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("paasctl", *argv, cwd=cwd, ok=ok)

    def read(self, *argv: str, cwd: Path | None = None) -> Any:
        """The JSON that a reading command prints."""
        return json.loads(self.paasctl(*argv, "--json", cwd=cwd).stdout)

    def login(self, user: str, password: str) -> None:
        done = subprocess.run(
            [str(BIN / "paasctl"), "login", self.settings.api_url, "--username", user, "--password-stdin"],
            input=password, text=True, capture_output=True, timeout=60, check=False,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def repository(self, name: str, files: Mapping[str, str] | Path) -> Path:
        """A git work tree with these files committed."""
        folder = self.home / name
        if isinstance(files, Path):
            shutil.copytree(files, folder)
        else:
            folder.mkdir()
            write(folder, files)
        self.run("git", "init", "-q", "-b", "main", cwd=folder)
        self.run("git", "config", "user.email", "ada@example.org", cwd=folder)
        self.run("git", "config", "user.name", "Ada", cwd=folder)
        self.commit(folder, "first")
        return folder

    def commit(self, folder: Path, message: str = "change") -> None:
        self.run("git", "add", "-A", cwd=folder)
        self.run("git", "commit", "-q", "--allow-empty", "-m", message, cwd=folder)

    def push(self, folder: Path, *argv: str, ok: bool = True) -> str:
        done = self.run("git", "push", *(argv or ("paas", "main")), cwd=folder, ok=ok)
        if not ok:
            assert done.returncode != 0, done.stderr
        return done.stderr + done.stdout

    def get(self, url: str, path: str = "/") -> tuple[int, str]:
        """GET through the router; `*.localhost` is this machine."""
        host = url.removeprefix("http://").partition(":")[0]
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.port, timeout=20)
        try:
            connection.request("GET", path, headers={"Host": host})
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
        finally:
            connection.close()


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Probe:
    """Asks an app again and again while something happens, and keeps what was not a good answer."""

    def __init__(self, person: Person, url: str, every: float = 0.02) -> None:
        self._person, self._url, self._every = person, url, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self.answers: list[str] = []
        self.failures: list[str] = []

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def _ask(self) -> None:
        while not self._stop.wait(self._every):
            try:
                status, body = self._person.get(self._url)
            except OSError as error:
                self.failures.append(repr(error))
                continue
            (self.answers if status == 200 else self.failures).append(body)


def eventually(check: Any, seconds: float = 30) -> Any:
    """The first true value of `check()`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {check}")
