"""Two people on one platform: ada has the project `shop`, eve has nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.actions import access
from paas.bootstrap import build_platform
from tests.conftest import Installation
from tests.e2e.person import Person

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def installation(platform_installation: Installation) -> Installation:
    return platform_installation


@pytest.fixture(scope="session")
def people(installation: Installation) -> Iterator[None]:
    platform = build_platform(installation.settings)
    for name in ("ada", "eve"):
        access.add_user(platform, name, PASSWORD, is_admin=False)
    yield
    platform.db.engine.dispose()
    platform.registry.close()


@pytest.fixture(scope="session")
def ada_home(tmp_path_factory: pytest.TempPathFactory, installation: Installation, people: None) -> Path:
    home = tmp_path_factory.mktemp("ada")
    person = Person(home, installation.settings)
    person.login("ada", PASSWORD)
    person.paasctl("projects", "create", "shop")
    return home


@pytest.fixture
def ada(ada_home: Path, installation: Installation) -> Person:
    return Person(ada_home, installation.settings)


@pytest.fixture
def eve(tmp_path: Path, installation: Installation, people: None) -> Person:
    person = Person(tmp_path, installation.settings)
    person.login("eve", PASSWORD)
    return person
