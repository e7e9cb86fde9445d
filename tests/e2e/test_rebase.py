"""A patched base reaches twenty apps, as an admin types it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Installation
from tests.e2e.person import Person, Probe, write

COUNT = 20
PROJECT = "fleet"


@pytest.fixture
def admin(tmp_path: Path, installation: Installation, people: None) -> Person:
    person = Person(tmp_path, installation.settings)
    person.login("admin", installation.admin_password)
    return person


@pytest.fixture
def fleet(admin: Person) -> Iterator[list[str]]:
    """Static sites, each with its own page."""
    admin.paasctl("projects", "create", PROJECT)
    names = [f"site{number}" for number in range(COUNT)]

    def deploy(name: str) -> None:
        folder = admin.home / name
        folder.mkdir()
        write(folder, {"index.html": f"this is {name}\n"})
        admin.paasctl("apps", "create", name, "--project", PROJECT, "--no-remote")
        admin.paasctl("deploy", "--from-dir", str(folder), "--app", f"{PROJECT}/{name}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(deploy, names))
    yield names
    for name in names:
        admin.paasctl("apps", "delete", f"{PROJECT}/{name}", "--yes")
    admin.paasctl("projects", "delete", PROJECT, "--yes")


def test_patched_builder_reaches_all_apps_in_waves_without_a_build(admin: Person, fleet: list[str]) -> None:
    before = {name: admin.read("apps", "info", f"{PROJECT}/{name}") for name in fleet}
    old = admin.read("builders", "info", "static")["versions"][0]
    told = admin.paasctl("builders", "update", "static", "--quiet").stdout
    new = admin.read("builders", "info", "static")["versions"][0]
    assert new["run_image"] != old["run_image"]
    assert new["updated_at"] is not None
    assert told.startswith("static:1: ")

    planned = admin.read("apps", "rebase", "--all", "--builder", "static", "--dry-run")
    assert {part["app"] for part in planned["apps"]} >= set(fleet)
    with Probe(admin, before["site0"]["url"]) as probe:
        done = admin.read("apps", "rebase", "--all", "--builder", "static", "--waves", "1,5,50%")
    assert (probe.failures, set(probe.answers)) == ([], {"this is site0\n"})
    assert done["state"] == "done"
    assert done["counts"] == {"done": len(done["apps"])}

    for name in fleet:
        app = admin.read("apps", "info", f"{PROJECT}/{name}")
        assert (app["release"], app["state"]) == ("v2", "live")
        assert app["image"] != before[name]["image"]
        assert admin.get(app["url"]) == (200, f"this is {name}\n")
        assert len(admin.read("builds", "list", "--app", f"{PROJECT}/{name}")) == 1
    again = admin.paasctl("apps", "rebase", f"{PROJECT}/site0")
    assert "newest version of its base" in again.stderr


def test_only_admins_rebase_all(ada: Person) -> None:
    done = ada.paasctl("apps", "rebase", "--all", ok=False)
    assert done.returncode == 5
    assert ada.paasctl("builders", "update", "static", ok=False).returncode == 5
    assert "s2i build" in ada.paasctl("builders", "usage", "static").stdout
