"""What the issue shows, as its user would see it."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.person import ROOT, Person, Probe, eventually, write
from tests.e2e.sources import PYTHON

EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    ("example", "kind"), [("flask-pandas", "Python"), ("express", "Node.js"), ("static-site", "Static site")]
)
def test_plain_repository_goes_live_and_a_change_pushes_only_the_source(ada: Person, example: str, kind: str) -> None:
    folder = ada.repository(example, EXAMPLES / example)
    ada.paasctl("apps", "create", example, "--project", "shop", cwd=folder)
    said = ada.push(folder)
    assert f"-----> {kind} app detected" in said
    info = ada.read("apps", "info", cwd=folder)
    assert {"name", "project", "url", "git_url", "image", "release", "state"} <= info.keys()
    assert (info["release"], info["state"]) == ("v1", "live")
    assert info["url"] in said
    assert ada.get(info["url"])[0] == 200
    first = ledger(ada, folder, 1)

    write(folder, {"static-note.txt": "one more line\n"})
    ada.commit(folder)
    ada.push(folder)
    second = ledger(ada, folder, 2)
    if "dependencies" in first:
        assert second["dependencies"]["digest"] == first["dependencies"]["digest"]
        assert second["dependencies"]["pushed"] == 0
        assert second["dependencies"]["state"] == "reused"
    assert second["source"]["digest"] != first["source"]["digest"]
    assert (second["source"]["state"], second["source"]["reason"]) == ("changed", "1 file changed: static-note.txt")
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts)
    assert sum(note["pushed"] for note in second.values()) < size + 64 * 1024
    assert ada.read("apps", "info", cwd=folder)["release"] == "v2"


def ledger(person: Person, folder: Path, build: int) -> dict[str, dict[str, Any]]:
    return {note["name"]: note for note in person.read("builds", "info", str(build), cwd=folder)["ledger"]}


def test_push_that_cannot_boot_is_rejected_and_the_old_version_answers_meanwhile(ada: Person) -> None:
    folder = ada.repository("boot", PYTHON)
    ada.paasctl("apps", "create", "boot", "--project", "shop", cwd=folder)
    ada.push(folder)
    url = ada.read("apps", "info", cwd=folder)["url"]
    write(folder, {"app.py": "import os\nprint('starting')\ndef broken(:\n"})
    ada.commit(folder)
    with Probe(ada, url) as probe:
        said = ada.push(folder, ok=False)
    assert "SyntaxError" in said
    assert "def broken(:" in said
    assert "[remote rejected]" in said
    assert probe.failures == []
    assert set(probe.answers) == {"one"}
    info = ada.read("apps", "info", cwd=folder)
    assert (info["release"], info["state"]) == ("v1", "live")
    write(folder, {"app.py": PYTHON["app.py"].replace('"one"', '"two"')})
    ada.commit(folder)
    with Probe(ada, url) as probe:
        ada.push(folder)
    assert probe.failures == []
    assert set(probe.answers) == {"one", "two"}
    assert ada.get(url) == (200, "two")


def test_failing_build_says_why_and_makes_no_release(ada: Person) -> None:
    folder = ada.repository("unbuildable", {**PYTHON, "requirements.txt": "no-such-package-of-this-name==9.9\n"})
    ada.paasctl("apps", "create", "unbuildable", "--project", "shop", cwd=folder)
    said = ada.push(folder, ok=False)
    assert "no-such-package-of-this-name" in said
    assert " !     " in said
    assert ada.read("apps", "info", cwd=folder)["release"] is None
    build = ada.read("builds", "info", "1", cwd=folder)
    assert (build["state"], build["stage"]) == ("failed", "dependencies")


def test_refs_do_what_a_user_expects(ada: Person) -> None:
    folder = ada.repository("refs", PYTHON)
    ada.paasctl("apps", "create", "refs", "--project", "shop", cwd=folder)
    assert "not built" in ada.push(folder, "paas", "main:feature")
    ada.push(folder)
    ada.run("git", "tag", "t1", cwd=folder)
    assert "not built" in ada.push(folder, "paas", "t1")
    assert "this app deploys" in ada.push(folder, "paas", ":main", ok=False)
    ada.push(folder, "paas", ":feature")
    write(folder, {"app.py": PYTHON["app.py"].replace('"one"', '"two"')})
    ada.run("git", "commit", "-qa", "--amend", "-m", "rewritten", cwd=folder)
    ada.push(folder, ok=False)
    ada.push(folder, "--force", "paas", "main")
    assert ada.get(ada.read("apps", "info", cwd=folder)["url"]) == (200, "two")
    assert [b["number"] for b in items(ada.read("builds", "list", cwd=folder))] == [2, 1]


def items(found: object) -> list[dict[str, object]]:
    listed = found["items"] if isinstance(found, dict) else found
    assert isinstance(listed, list)
    return listed


def test_two_pushes_at_once_both_end_and_the_last_is_live(ada: Person) -> None:
    one = ada.repository("twice", PYTHON)
    ada.paasctl("apps", "create", "twice", "--project", "shop", cwd=one)
    ada.push(one)
    results: dict[str, int] = {}

    def push(version: str) -> None:
        folder = ada.home / f"twice-{version}"
        ada.run("git", "clone", "-q", "-o", "paas", str(one), str(folder))
        git_url = ada.read("apps", "info", cwd=one)["git_url"]
        ada.run("git", "remote", "set-url", "paas", git_url, cwd=folder)
        write(folder, {"app.py": PYTHON["app.py"].replace('"one"', f'"{version}"')})
        ada.run("git", "-c", "user.email=a@b.c", "-c", "user.name=A", "commit", "-qam", version, cwd=folder)
        results[version] = ada.run("git", "push", "--force", "paas", "main", cwd=folder, ok=False).returncode

    threads = [threading.Thread(target=push, args=(version,)) for version in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 in results.values()
    url = ada.read("apps", "info", cwd=one)["url"]
    status, body = ada.get(url)
    assert status == 200
    assert body in {"left", "right"}
    releases = items(ada.read("releases", "list", cwd=one))
    assert [r["state"] for r in releases].count("live") == 1
    assert releases[0]["state"] == "live"


def test_hanging_up_does_not_stop_the_build(ada: Person) -> None:
    from tests.e2e.sources import SLOW_BUILD

    folder = ada.repository("hangup", SLOW_BUILD)
    (folder / ".s2i/bin/assemble").chmod(0o755)
    ada.commit(folder)
    ada.paasctl("apps", "create", "hangup", "--project", "shop", cwd=folder)
    with ada.start("git", "push", "paas", "main", cwd=folder) as pushing:
        assert pushing.stdout is not None
        for line in pushing.stdout:
            if "step 3" in line:
                break
        pushing.kill()
    eventually(lambda: ada.read("apps", "info", cwd=folder)["state"] == "live", 60)
    assert ada.read("apps", "info", cwd=folder)["release"] == "v1"


def test_operations_on_a_live_app(ada: Person) -> None:
    folder = ada.repository("ops", PYTHON)
    ada.paasctl("apps", "create", "ops", "--project", "shop", cwd=folder)
    ada.push(folder)
    url = ada.read("apps", "info", cwd=folder)["url"]
    with Probe(ada, url) as probe:
        ada.paasctl("config", "set", "GREETING=hello world", cwd=folder)
        ada.paasctl("scale", "web=2", "worker=1", cwd=folder)
        assert ada.get(url) == (200, "one hello world")
        ps = ada.read("ps", cwd=folder)
        assert sorted(i["name"] for i in items(ps)) == ["web.1", "web.2", "worker.1"]
        ada.paasctl("releases", "rollback", "v1", cwd=folder)
        assert ada.get(url) == (200, "one")
    assert probe.failures == []
    done = ada.paasctl("run", "--", "python", "-c", "print(6*7); raise SystemExit(3)", cwd=folder, ok=False)
    assert (done.returncode, "42" in done.stdout) == (3, True)
    assert items(ada.read("config", "list", cwd=folder)) == []
    ada.paasctl("apps", "delete", "ops", "--yes", cwd=folder)
    assert ada.get(url)[0] == 404
    assert ada.paasctl("apps", "info", cwd=folder, ok=False).returncode == 3


def test_logs_follow_through_a_deploy_without_loss_or_doubling(ada: Person) -> None:
    folder = ada.repository("logs", PYTHON)
    ada.paasctl("apps", "create", "logs", "--project", "shop", cwd=folder)
    ada.paasctl("config", "set", "COUNT=1", cwd=folder)
    ada.push(folder)
    lines: list[dict[str, object]] = []
    follow = ("paasctl", "logs", "logs", "--project", "shop", "-f", "--json", "-n", "5")
    with ada.start(*follow, cwd=folder) as following:
        assert following.stdout is not None
        stream = following.stdout
        reader = threading.Thread(target=lambda: lines.extend(json.loads(line) for line in stream), daemon=True)
        reader.start()
        eventually(lambda: len(lines) > 50)
        write(folder, {"app.py": PYTHON["app.py"].replace('"one"', '"two"')})
        ada.commit(folder)
        ada.push(folder)
        eventually(lambda: sum(str(line["text"]).startswith("two line") for line in lines) > 50)
        following.terminate()
        reader.join()
    numbers = [int(str(line["number"])) for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for version in ("one", "two"):
        counted = [int(str(x["text"]).split()[-1]) for x in lines if str(x["text"]).startswith(f"{version} line")]
        assert counted == list(range(counted[0], counted[0] + len(counted)))
