"""Wrong names, hostile sources, wrong tokens: a clear error, the right code, nothing half-made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.person import Person, write
from tests.e2e.sources import PYTHON


@pytest.mark.parametrize("name", ["Web", "a_b", "-x", "a" * 41, "git", "a--b", ""])
def test_bad_app_name(ada: Person, name: str) -> None:
    done = ada.paasctl("apps", "create", "--project", "shop", "--", name, ok=False)
    assert done.returncode == 2
    assert "Hint" in done.stderr or "Usage" in done.stderr


def test_unknown_app_and_wrong_token_when_pushing(ada: Person) -> None:
    folder = ada.repository("nowhere", PYTHON)
    ada.run("git", "remote", "add", "paas", f"{ada.settings.api_url}/git/shop/absent.git", cwd=folder)
    assert "not found" in ada.push(folder, ok=False).lower()
    url = ada.settings.api_url.replace("://", "://x:wrong@") + "/git/shop/absent.git"
    done = ada.run("git", "-c", "credential.helper=", "push", url, "main", cwd=folder, ok=False)
    assert done.returncode != 0
    assert "authentication failed" in done.stderr.lower()


def test_stranger_sees_nothing(ada: Person, eve: Person) -> None:
    folder = ada.repository("private", PYTHON)
    ada.paasctl("apps", "create", "private", "--project", "shop", cwd=folder)
    done = eve.paasctl("apps", "info", "--app", "private", "--project", "shop", ok=False)
    assert done.returncode == 3
    clone = eve.run("git", "clone", f"{eve.settings.api_url}/git/shop/private.git", ok=False)
    assert clone.returncode != 0
    assert "not found" in clone.stderr.lower()
    assert eve.read("apps", "list") in ([], {"items": []})


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside"])
def test_symlink_that_leaves_the_tree_is_named(ada: Person, target: str) -> None:
    folder = ada.repository(f"link{len(target)}", PYTHON)
    (folder / "escape").symlink_to(target)
    ada.commit(folder)
    ada.paasctl("apps", "create", folder.name, "--project", "shop", cwd=folder)
    said = ada.push(folder, ok=False)
    assert "escape" in said
    assert " !     " in said
    assert ada.read("apps", "info", cwd=folder)["state"] == "empty"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"Procfile": "web python app.py\n"}, "Procfile line 1"),
        ({"requirements.txt": None, "Procfile": None, "app.py": None, "README": "x"}, "requirements.txt"),
        ({"package.json": "{}"}, "nodejs"),
        ({"app.json": "{"}, "app.json"),
    ],
)
def test_source_mistake_is_named(ada: Person, tmp_path: Path, files: dict[str, str | None], told: str) -> None:
    folder = ada.repository(f"m{abs(hash(told)) % 10**8}", {"README.md": "x"})
    write(folder, {name: text for name, text in {**PYTHON, **files}.items() if text is not None})
    ada.commit(folder)
    ada.paasctl("apps", "create", folder.name, "--project", "shop", cwd=folder)
    said = ada.push(folder, ok=False)
    assert told in said
    assert ada.read("apps", "info", cwd=folder)["release"] is None
