"""Control of builds, as a user types it."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import bridge_address
from tests.e2e.person import Person, eventually, write
from tests.e2e.sources import PYTHON

SILENT = {**PYTHON, ".s2i/bin/assemble": "#!/bin/bash\nexec sleep 120\n"}
TELLING = {
    **PYTHON,
    ".s2i/bin/assemble": '#!/bin/bash\necho "the token is $(cat /run/secrets/TOKEN)"\nexec /usr/libexec/s2i/assemble\n',
}


def folder(person: Person, name: str, files: dict[str, str], project: str = "shop") -> Path:
    """A folder that is no repository, and an app for it."""
    path = person.home / name
    path.mkdir()
    write(path, files)
    script = path / ".s2i/bin/assemble"
    if script.exists():
        script.chmod(0o755)
    person.paasctl("apps", "create", name, "--project", project)
    return path


def queue(person: Person, path: Path, project: str = "shop") -> None:
    app = f"{project}/{path.name}"
    person.paasctl("deploy", "--from-dir", str(path), "--app", app, "--no-wait")


def build(person: Person, app: str, number: int = 1) -> Any:
    return person.read("builds", "info", str(number), "--app", app)


def cancel(person: Person, app: str, number: int = 1) -> None:
    person.paasctl("builds", "cancel", str(number), "--app", app)


class Forge(http.server.SimpleHTTPRequestHandler):
    """Plain files; below /moved it sends one away."""

    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", self.path.replace("/moved", "/upstream"))
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[str]:
    """An own forge at a private address that the operator allowed: plain files over http."""
    handler = functools.partial(Forge, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer((bridge_address(), 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{bridge_address()}:{server.server_address[1]}"
        server.shutdown()


def test_folder_then_repository_goes_live(ada: Person, forge: str, tmp_path: Path) -> None:
    path = folder(ada, "control", PYTHON)
    said = ada.paasctl("deploy", "--from-dir", str(path), "--app", "shop/control", "-m", "by hand").stdout
    url = ada.read("apps", "info", "shop/control")["url"]
    assert said.rstrip().endswith(f"=====> {url} deployed to paas (v1)")
    assert ada.get(url) == (200, "one")
    info = build(ada, "shop/control")
    assert (info["trigger"], info["trigger_message"], info["source_kind"]) == ("manual", "by hand", "directory")

    work = ada.repository("upstream", {**PYTHON, "app.py": PYTHON["app.py"].replace('"one"', '"two"')})
    bare = tmp_path / "upstream.git"
    ada.run("git", "clone", "-q", "--bare", str(work), str(bare))
    ada.run("git", "update-server-info", cwd=bare)
    where = f"{forge}/upstream.git#main"
    ended = ada.read("deploy", "--from-git", where, "--app", "shop/control")
    assert (ended["url"], ended["release"]["version"]) == (url, "v2")
    commit = subprocess.run(["git", "-C", str(work), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    found = ended["build"]
    assert (found["commit"], found["message"], found["author"]) == (
        commit.stdout.strip(), "first", "Ada <ada@example.org>",
    )  # fmt: skip
    assert ada.get(url) == (200, "two")
    first = ada.read("releases", "info", "v1", "--app", "shop/control")["image"]
    image = ada.read("apps", "info", "shop/control")["image"].partition("@")[0]
    ended = ada.read("deploy", "--image", f"{image}@{first}", "--app", "shop/control")
    assert (ended["build"]["strategy"], ended["build"]["source_kind"]) == ("image", "image")
    assert ada.get(url) == (200, "one")
    for wrong in ("upstream.git#nope", "moved.git"):
        missing = ada.paasctl("deploy", "--from-git", f"{forge}/{wrong}", "--app", "shop/control", ok=False)
        assert (missing.returncode, "cannot be fetched" in missing.stderr) == (50, True)
    refused = ada.paasctl("deploy", "--from-git", "http://127.0.0.1/x.git", "--app", "shop/control", ok=False)
    assert (refused.returncode, "not a public host" in refused.stderr) == (2, True)
    (path / "a-link").symlink_to("/etc/passwd")
    (path / "large").write_bytes(bytes(8_000_000))  # more than any buffer between: the reason must arrive all the same
    hostile = ada.paasctl("deploy", "--from-dir", str(path), "--app", "shop/control", ok=False)
    assert (hostile.returncode, "a-link" in hostile.stderr) == (2, True), hostile.stderr


def test_cancel_of_a_silent_build_lets_the_next_one_begin(ada: Person) -> None:
    path = folder(ada, "silent", SILENT)
    queue(ada, path)
    eventually(lambda: build(ada, "shop/silent")["state"] == "running")
    ada.paasctl("builds", "retry", "1", "--app", "shop/silent", "--no-wait", ok=False)  # it is not over yet
    second = ada.read("builds", "start", "--from-build", "1", "--no-cache", "--app", "shop/silent", "--no-wait")
    assert (second["number"], second["waiting"]) == (2, "queued behind build 1 of this app")
    time.sleep(2)  # its sandbox is up, and says nothing
    asked = time.time()
    cancel(ada, "shop/silent")
    first = eventually(lambda: ended(build(ada, "shop/silent")), 10)
    assert (first["state"], first["reason"]) == ("cancelled", "CancelledBuild")
    assert parsed(first["finished_at"]) - asked < 2.5
    second = eventually(lambda: running(build(ada, "shop/silent", 2)), 10)
    assert parsed(second["started_at"]) - parsed(first["finished_at"]) < 1
    cancel(ada, "shop/silent", 2)
    eventually(lambda: ended(build(ada, "shop/silent", 2)), 10)
    again = ada.read("builds", "retry", "1", "--app", "shop/silent", "--no-wait")
    assert (again["number"], again["trigger_message"], again["no_cache"]) == (3, "retry of build 1", False)
    cancel(ada, "shop/silent", 3)
    assert ada.read("apps", "info", "shop/silent")["release"] is None


def ended(found: Any) -> Any:
    return found if found["state"] not in ("queued", "running") else None


def running(found: Any) -> Any:
    return found if found["state"] == "running" else None


def parsed(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_queue_is_fair_between_projects_and_says_what_each_waits_for(ada: Person, eve: Person) -> None:
    names = ["queue-a", "queue-b", "queue-c"]
    for name in names:
        queue(ada, folder(ada, name, SILENT))
    eve.paasctl("projects", "create", "other")
    queue(eve, folder(eve, "only", SILENT, "other"), "other")
    try:
        eventually(lambda: running(build(ada, "shop/queue-b")))
        assert build(eve, "other/only")["waiting"] == "2 of 2 builds of the platform are running; position 1 of 2"
        third = build(ada, "shop/queue-c")["waiting"]
        assert third.startswith("2 of 2 builds of project shop are running: ")
        assert third.endswith("; position 2 of 2")
        cancel(ada, "shop/queue-a")
        eventually(lambda: running(build(eve, "other/only")), 10)
        assert build(ada, "shop/queue-c")["state"] == "queued"
        last = "Waiting: 2 of 2 builds of the platform are running; position 1 of 1"
        eventually(lambda: last in ada.paasctl("builds", "logs", "1", "--app", "shop/queue-c").stdout, 10)
    finally:
        cancel(eve, "other/only")
        for name in reversed(names[1:]):
            cancel(ada, f"shop/{name}")
    eventually(lambda: ended(build(ada, "shop/queue-b")), 10)


def test_secret_is_seen_by_the_build_and_by_nobody_else(ada: Person) -> None:
    path = folder(ada, "secretive", TELLING)
    (path.parent / "token").write_text("correct-horse-battery")
    ada.paasctl("builds", "secrets", "set", f"TOKEN=@{path.parent / 'token'}", "--app", "shop/secretive")
    assert "TOKEN" in ada.paasctl("builds", "secrets", "list", "--app", "shop/secretive").stdout
    said = ada.paasctl("deploy", "--from-dir", str(path), "--app", "shop/secretive").stdout
    assert "the token is " in said
    told = ada.paasctl("logs", "shop/secretive", "-n", "1000").stdout
    assert "correct-horse-battery" not in said + told
    found = ada.read("builds", "settings", "timeout=10m", "--app", "shop/secretive")
    assert (found["settings"]["timeout"], found["changed"]) == (600, ["timeout"])
    much = ada.paasctl("builds", "settings", "memory=9999GiB", "--app", "shop/secretive", ok=False)
    assert (much.returncode, "memory is over the operator's maximum" in much.stderr) == (2, True)
