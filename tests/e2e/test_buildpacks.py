"""An app that names its buildpacks in project.toml, as its user pushes it."""

from __future__ import annotations

from tests.e2e.person import ROOT, Person


def test_app_of_buildpacks_goes_live_and_keeps_its_packages(ada: Person) -> None:
    folder = ada.repository("packed", ROOT / "examples" / "buildpacks")
    ada.paasctl("apps", "create", "packed", "--project", "shop", cwd=folder)
    said = ada.push(folder)
    assert "strategy buildpacks" in said
    assert "Made public/index.html" in said
    url = ada.read("apps", "info", cwd=folder)["url"]
    assert "Hello from buildpacks" in ada.get(url)[1]
    assert ada.paasctl("run", "--", "printenv", "GREETING", cwd=folder).stdout.strip() == "hello"

    page = folder / "page.html"
    page.write_text(page.read_text().replace("Hello", "Hello again"))
    ada.commit(folder)
    said = ada.push(folder)
    assert "re-declared by paas/apt" in said
    assert "Hello again from buildpacks" in ada.get(url)[1]
    info = ada.read("builds", "info", "2", cwd=folder)
    assert (info["strategy"], info["ledger"][0]["name"]) == ("buildpacks", "paas/apt:packages")
    assert (info["ledger"][0]["state"], info["ledger"][0]["pushed"]) == ("reused", 0)


def test_buildpack_that_fails_rejects_the_push_with_its_words(ada: Person) -> None:
    files = {"Procfile": "web run\n", "project.toml": '[_]\nschema-version = "0.2"\n'}
    folder = ada.repository("unpacked", files)
    ada.paasctl("apps", "create", "unpacked", "--project", "shop", cwd=folder)
    said = ada.push(folder, ok=False)
    assert "Procfile line 1 is not 'TYPE: COMMAND'" in said
    assert "the buildpack paas/procfile@1.0.0 ended with exit code 1" in said
