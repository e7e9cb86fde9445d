"""Every language's example goes live by `git push`; a builder that was never used here is made by the first push."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import made_images
from tests.e2e.person import ROOT, Person

EXAMPLES = {
    "go": "Go",
    "java": "Java",
    "perl": "Perl",
    "php": "PHP",
    "ruby": "Ruby",
    "rust": "Rust",
}
APP = """from flask import Flask

app = Flask(__name__)


@app.get("/")
def home():
    return "hello"
"""
VERSIONS = {"flask-pandas": (".python-version", "3.11\n", "python:3.11"), "express": (".nvmrc", "18\n", "nodejs:18")}

pytestmark = pytest.mark.timeout(1200)  # the first run makes images


def push(ada: Person, name: str, folder: Path) -> str:
    ada.paasctl("apps", "create", name, "--project", "shop", cwd=folder)
    said = ada.push(folder)
    info = ada.read("apps", "info", cwd=folder)
    assert info["state"] == "live"
    status, body = ada.get(info["url"])
    assert (status, bool(body.strip())) == (200, True)
    return said


@pytest.mark.parametrize("language", EXAMPLES)
def test_example_goes_live_by_git_push(ada: Person, language: str) -> None:
    made_images(language)  # kept on the engine between runs; the platform finds them there
    folder = ada.repository(f"example-{language}", ROOT / "examples" / language)
    said = push(ada, f"example-{language}", folder)
    assert f"-----> {EXAMPLES[language]} app detected" in said
    assert "-----> Making builder" in said


@pytest.mark.parametrize("example", VERSIONS)
def test_version_file_chooses_the_builder(ada: Person, example: str) -> None:
    file, content, label = VERSIONS[example]
    made_images(label)
    folder = ada.repository(f"old-{example}", ROOT / "examples" / example)
    (folder / file).write_text(content)
    if example == "flask-pandas":  # pandas of these pins is too new for 3.11
        (folder / "requirements.txt").write_text("flask==3.1.3\ngunicorn==27.0.1\n")
        (folder / "app.py").write_text(APP)
    ada.commit(folder)
    said = push(ada, f"old-{example}", folder)
    assert f"({file}: {content.strip()})" in said
    assert ada.read("builds", "info", "1", cwd=folder)["builder"] == label


def test_version_that_is_not_there_is_refused_with_those_that_are(ada: Person) -> None:
    folder = ada.repository("too-new", {"requirements.txt": "", ".python-version": "3.99\n", "Procfile": "web: true\n"})
    ada.paasctl("apps", "create", "too-new", "--project", "shop", cwd=folder)
    said = ada.push(folder, ok=False)
    assert ".python-version asks for Python '3.99'" in said
    assert "There are: 3.13, 3.11, 3.14" in said
