"""One registry and one pair of images for all cases; each case is an app of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.conformance.cnb.kitchen import Case, make_images
from tests.integration.kitchen import Kitchen, kitchen


@pytest.fixture(scope="session")
def pantry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    with kitchen(tmp_path_factory.mktemp("cnb")) as opened:
        make_images(opened)
        yield opened


@pytest.fixture
def case(pantry: Kitchen) -> Case:
    name = secrets.token_hex(4)
    return Case(replace(pantry, app_id=f"a{name}", project_id=f"p{name}", lines=[], count=0))
