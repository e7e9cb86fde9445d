"""One registry and one set of fixture images for all cases; each case is an app of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.conformance.s2i.fixtures import SCRIPTS, Case, Shelf, served
from tests.integration.kitchen import Kitchen, kitchen


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    with kitchen(tmp_path_factory.mktemp("s2i")) as opened:
        yield Shelf(opened)


@pytest.fixture
def case(shelf: Shelf) -> Case:
    name = secrets.token_hex(4)
    own: Kitchen = replace(shelf.kitchen, app_id=f"a{name}", project_id=f"p{name}", lines=[], count=0)
    return Case(own, shelf)


@pytest.fixture
def web(shelf: Shelf) -> Iterator[str]:
    """The scripts at a web address that sandboxes reach."""
    network = shelf.kitchen.sandboxes.inner._networks.ensure_builds()
    argv = ["docker", "network", "inspect", network]
    shown = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=20).stdout)
    with served(SCRIPTS, shown[0]["IPAM"]["Config"][0]["Gateway"]) as url:
        yield f"{url}/.s2i/bin"
