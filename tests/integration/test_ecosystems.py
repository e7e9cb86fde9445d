"""Each package manager's lock file is installed by its own step, and nothing for development stays in the image.

The sources are in `ecosystems/`, with the lock files that the managers themselves wrote.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from paas.core.builds import BuildSettings
from paas.errors import BuildFailed
from tests.integration.test_builder import (  # noqa: F401 - fixtures
    Bench,
    bench,
    engine,
    registry,
    registry_host,
    sandboxes,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
SOURCES = Path(__file__).parent / "ecosystems"
LOCKED = "itsdangerous==2.2.0"


def source(name: str) -> dict[str, str]:
    folder = SOURCES / name
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def told(bench: Bench, text: str) -> bool:  # noqa: F811
    return any(text in line for line in bench.lines)


@pytest.mark.parametrize("manager", ["npm", "pnpm", "yarn", "yarn-berry"])
def test_node_app_is_built_with_and_run_without_what_is_for_development(bench: Bench, manager: str) -> None:  # noqa: F811
    files = source(manager)
    first = bench.build(files)
    assert len(bench.sandboxes.opened) == 2, bench.lines  # dependencies alone, then `npm run build`
    lock = next(path for path in files if "lock" in path)
    assert told(bench, f"Installing dependencies from {lock} with {manager.partition('-')[0]}")
    assert told(bench, "Packages only for development, removed: 1")
    assert bench.run(first.image, "sh", "-c", "node dist/index.js; ls node_modules/.bin 2>&1").splitlines()[0] == (
        "createDebug false"
    )
    assert bench.run(first.image, "sh", "-c", "find /opt/app-root -name 'mkdirp*'") == ""
    fresh = replace(bench, app_id=f"{bench.app_id}f", project_id=f"{bench.project_id}f", lines=[])
    assert fresh.build(files).image == first.image
    again = bench.build(files | {"index.js": f"{files['index.js']}// changed\n"})
    assert len(bench.sandboxes.opened) == 1
    assert again.ledger[0].state == "reused"


def test_workspaces_are_linked_and_built_with_the_source(bench: Bench) -> None:  # noqa: F811
    package = json.loads(source("npm")["package.json"])
    inner = {
        "name": "inner",
        "version": "1.0.0",
        "dependencies": {"ms": "2.1.2"},
        "devDependencies": {"mkdirp": "1.0.4"},
    }
    files = {
        "package.json": json.dumps({**package, "workspaces": ["packages/*"], "dependencies": {"inner": "1.0.0"}}),
        "packages/inner/package.json": json.dumps(inner),
        "packages/inner/index.js": "module.exports = require('ms')('1s')\n",
        "index.js": "console.log(require('inner'))\n",
    }
    result = bench.build(files)
    assert len(bench.sandboxes.opened) == 1
    assert bench.run(result.image, "sh", "-c", "node dist/index.js; ls node_modules").split() == ["1000", "inner", "ms"]


@pytest.mark.parametrize("manager", ["uv", "pipenv", "poetry"])
def test_python_lock_file_is_installed_without_groups_for_development(bench: Bench, manager: str) -> None:  # noqa: F811
    result = bench.build(source(manager))
    assert len(bench.sandboxes.opened) == 1, bench.lines
    assert result.facts["packages"] == [LOCKED]
    assert bench.run(result.image, "python", "app.py") == "Signer\n"


def test_hashes_are_checked(bench: Bench) -> None:  # noqa: F811
    wrong = hashlib.sha256(b"").hexdigest()
    with pytest.raises(BuildFailed) as failed:
        bench.build({"app.py": "", "requirements.txt": f"{LOCKED} --hash=sha256:{wrong}\n"})
    assert failed.value.stage == "dependencies"
    assert told(bench, "Hash mismatch")


def test_what_only_pip_reads_is_installed_by_pip_to_the_same_bytes_each_time(bench: Bench) -> None:  # noqa: F811
    files = {"app.py": "", "requirements.txt": f"{LOCKED} --config-settings a=b\n"}
    first = bench.build(files)
    assert told(bench, "installing with pip")
    assert first.facts["packages"] == [LOCKED]
    fresh = replace(bench, app_id=f"{bench.app_id}f", project_id=f"{bench.project_id}f", lines=[])
    assert fresh.build(files).image == first.image
    script = "import itsdangerous, os; print(os.path.exists(itsdangerous.__cached__))"
    assert bench.run(first.image, "python", "-c", script) == "True\n"


def test_npm_lock_file_that_lies_is_a_failure_with_a_hint(bench: Bench) -> None:  # noqa: F811
    files = source("npm")
    lock = json.loads(files["package-lock.json"])
    lock["packages"]["node_modules/ms"]["integrity"] = f"sha512-{'A' * 86}=="
    with pytest.raises(BuildFailed) as failed:
        bench.build(files | {"package-lock.json": json.dumps(lock)})
    assert (failed.value.reason, failed.value.stage) == ("AssembleFailed", "dependencies")
    assert "hash" in failed.value.message
    assert failed.value.hint


def test_postinstall_of_the_project_sees_the_source(bench: Bench) -> None:  # noqa: F811
    package = {"name": "shop", "version": "1.0.0", "dependencies": {"ms": "2.1.2"}}
    package["scripts"] = {"postinstall": "node make.js"}
    files = {
        "package.json": json.dumps(package),
        "make.js": "require('fs').writeFileSync('made.txt', String(require('ms')('2s')))\n",
        "index.js": "",
    }
    result = bench.build(files)
    assert bench.run(result.image, "cat", "made.txt") == "2000"


def test_folder_of_a_monorepo_is_the_app(bench: Bench) -> None:  # noqa: F811
    inner = {f"services/shop/{path}": text for path, text in source("uv").items()}
    files = inner | {"package.json": "{}", "README.md": "all of it"}
    result = bench.build(files, settings=BuildSettings(context_dir="services/shop"))
    assert result.builder == "python:3.13"
    assert bench.run(result.image, "sh", "-c", "ls; python app.py").splitlines()[-1] == "Signer"
    assert "README.md" not in bench.run(result.image, "ls")
    again = bench.build(files | {"README.md": "changed"}, settings=BuildSettings(context_dir="services/shop"))
    assert again.image == result.image


SETTINGS = """\
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = "static/"
STATIC_ROOT = "collected"
STATICFILES_DIRS = ["assets"]
"""
MANAGE = """\
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


def test_static_files_of_django_are_collected(bench: Bench) -> None:  # noqa: F811
    files = {
        "requirements.txt": "django==5.2.8\n",
        "manage.py": MANAGE,
        "settings.py": SETTINGS,
        "assets/site.css": "a {}\n",
        "Procfile": "web: python manage.py runserver 0.0.0.0:$PORT\n",
    }
    result = bench.build(files)
    assert bench.run(result.image, "cat", "collected/site.css") == "a {}\n"
    with pytest.raises(BuildFailed) as failed:
        bench.build(files | {"settings.py": SETTINGS + "raise RuntimeError('broken settings')\n"})
    assert failed.value.stage == "assemble"
    assert told(bench, "broken settings")
