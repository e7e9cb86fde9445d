"""Garbage collection as an admin types it: what it says is what it does, and nothing that is needed goes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from paas import bootstrap
from paas.oci.layers import LayerWriter
from paas.oci.registry import Registry
from paas.oci.streams import Chunks
from paas.oci.trees import Entry
from tests.conftest import Installation
from tests.e2e.person import Person, write

RELEASES = 12  # two more than one may roll back to
PROJECT = "attic"


@pytest.fixture
def admin(tmp_path: Path, installation: Installation, people: None) -> Person:
    person = Person(tmp_path, installation.settings)
    person.login("admin", installation.admin_password)
    person.paasctl("projects", "create", PROJECT)
    return person


def deploy(admin: Person, name: str, page: str) -> None:
    folder = admin.home / name
    folder.mkdir(exist_ok=True)
    write(folder, {"index.html": page, "noise.txt": os.urandom(100_000).hex()})
    admin.paasctl("deploy", "--from-dir", str(folder), "--app", f"{PROJECT}/{name}")


def stranger(installation: Installation) -> tuple[Registry, str, str]:
    """A blob in a repository that is none of the platform's."""
    registry = Registry(installation.settings.registry_url, bootstrap.token_source(installation.settings))
    with registry.upload("strangers/x") as upload:
        writer = LayerWriter(upload.write)
        writer.add(Entry("theirs", "file", 0o644, 4), Chunks([b"mine"]))
        layer = writer.finish()
        upload.commit(layer.digest)
    return registry, "strangers/x", layer.digest


def disk(installation: Installation) -> int:
    files = (installation.settings.state / "registry").rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file())


def test_what_nothing_needs_goes_and_all_else_stays(admin: Person, installation: Installation) -> None:
    for name in ("kept", "gone"):
        admin.paasctl("apps", "create", name, "--project", PROJECT, "--no-remote")
    deploy(admin, "gone", "one\n")
    for number in range(1, RELEASES + 1):
        deploy(admin, "kept", f"page {number}\n")
    app = f"{PROJECT}/kept"
    admin.paasctl("images", "tag", "golden", "v1", "--app", app)
    admin.paasctl("apps", "delete", f"{PROJECT}/gone", "--yes")
    registry, repository, digest = stranger(installation)
    time.sleep(installation.settings.gc_grace + 1)

    planned = admin.read("gc", "--dry-run")
    assert planned["is_dry_run"] is True
    reasons = {(item["kind"], item["where"], item["reason"]) for item in planned["items"]}
    assert ("image", app, "tag golden of attic/kept") in reasons
    assert ("image", app, f"release v{RELEASES} of attic/kept is live") in reasons
    assert ("image", app, "release v3 of attic/kept is in the rollback window") in reasons
    assert ("image", app, "nothing names it") in reasons  # v2
    assert ("blob", app, "source of build 2 of attic/kept") in reasons

    before = disk(installation)
    pushing = threading.Thread(target=deploy, args=(admin, "kept", "while it runs\n"))
    pushing.start()
    done = admin.read("gc")
    pushing.join()
    assert done["freed"] > 200_000  # the source and the layer of what was deleted
    assert before - disk(installation) > 0
    assert admin.get(admin.read("apps", "info", app)["url"]) == (200, "while it runs\n")
    admin.read("gc")  # the first one left the app alone if its build was open already

    images = {item["image"]: item for item in admin.read("images", "list", "--app", app)}
    assert next(item["tags"] for item in images.values() if "v1" in item["releases"]) == ["golden"]
    for version, page in (("v1", "page 1\n"), (f"v{RELEASES - 5}", f"page {RELEASES - 5}\n")):
        admin.paasctl("releases", "rollback", version, "--app", app)
        assert admin.get(admin.read("apps", "info", app)["url"]) == (200, page)
    refused = admin.paasctl("releases", "rollback", "v2", "--app", app, ok=False)
    assert refused.returncode == 4
    assert "not there any more" in refused.stderr
    assert registry.has_blob(repository, digest)  # type: ignore[arg-type]
    registry.close()


def test_only_admins_collect(ada: Person) -> None:
    assert ada.paasctl("gc", "--dry-run", ok=False).returncode == 5
