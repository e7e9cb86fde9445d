"""Fixtures for all: marks by folder, the machine's services, and a whole platform of the tests' own.

Skip at home, fail where CI is set: a missing service must not hide there.
"""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from paas.bootstrap import engine as open_engine
from paas.bootstrap import installation
from paas.core.recipes import Recipe
from paas.errors import PaasError
from paas.ops import down as down_verb
from paas.ops import engine, example, images, processes
from paas.ops import up as up_verb
from paas.ops.steps import Steps
from paas.settings import Settings

IMAGE_OWNER = "paas-tests"
"""Builder images stay on the engine for the next run: making them takes two minutes."""
MARKS = {"integration": "integration", "contracts": "integration", "conformance": "integration", "e2e": "e2e"}


def pytest_configure() -> None:
    """What a shell runs in the background ignores Ctrl-C and hands that down; what the tests start must not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in MARKS:
            item.add_marker(MARKS[folder])


_databases: set[Engine] = set()


@event.listens_for(Engine, "engine_connect")
def _remember(connection: Connection) -> None:
    _databases.add(connection.engine)


@pytest.fixture(autouse=True)
def no_connection_is_left() -> Iterator[None]:
    """A pool keeps connections; from 3.13 on Python warns of those to SQLite that nobody closed."""
    yield
    while _databases:
        _databases.pop().dispose()


def require(condition: object, what: str) -> None:
    """The test needs this service or program."""
    if not condition:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is missing")


def bridge_address() -> str:
    """The machine's own address on the engine's default bridge: sandboxes reach it, the outside does not."""
    shown = subprocess.run(
        ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return shown.stdout.strip() or "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Installation:
    """A platform as `paas up` makes it, on free ports, in a state folder of its own."""

    settings: Settings
    said: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its id, which is on all that it makes on the engine."""
        return installation(self.settings)

    @property
    def admin_password(self) -> str:
        return example.read_password(self.settings)

    def up(self) -> None:
        wanted = up_verb.Wanted(example=False, person=None, image_owner=IMAGE_OWNER, at_boot=False)
        up_verb.up(self.settings, wanted, Steps(self.said.append))

    def down(self) -> None:
        down_verb.down(self.settings, Steps(self.said.append))

    def clean(self) -> None:
        down_verb.clean(self.settings, None, Steps(self.said.append))

    def pids(self, name: str) -> list[int]:
        """Process ids of one of the Procfile's programs."""
        return processes.pids(self.settings, name)

    def logs(self) -> str:
        """The end of each program's log."""
        files = sorted((self.settings.state / "log").glob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in files)


@pytest.fixture(scope="session")
def builder_recipes() -> list[Recipe]:
    """The default builders' images, on the engine: made where they are missing."""
    return made_images("")


@functools.cache
def made_images(wanted: str) -> list[Recipe]:
    """The images of these builders (`NAME:VERSION …`), on the engine: made where they are missing."""
    require(shutil.which("mmdebstrap"), "mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="paas-images-") as folder:
        settings = Settings(state=Path(folder))
        (settings.state / "tmp").mkdir()
        require(_engine_answers(settings), "a Docker Engine")
        opened = open_engine(settings)
        recipes = images.recipes(settings, wanted)
        with images.alone(settings):
            images.make_bases(settings, opened, IMAGE_OWNER, recipes, lambda line: None)
            images.make_builders(settings, opened, IMAGE_OWNER, recipes, lambda line: None)
        return recipes


def _engine_answers(settings: Settings) -> bool:
    try:
        return bool(engine.version(settings))
    except PaasError:
        return False


def _worker() -> int:
    """Which of pytest-xdist's processes this is."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture(scope="session")
def platform_installation() -> Iterator[Installation]:
    """A whole platform of the session's own; everything of it is gone afterwards."""
    for program in ("redis-server", "docker-registry", "haproxy", "mmdebstrap", "git"):
        require(shutil.which(program), program)
    folder = Path(tempfile.mkdtemp(prefix="paas-test-"))  # short: sockets have paths of at most 107 bytes
    settings = Settings(
        state=folder / "state",
        port=free_port(),
        registry_port=free_port(),
        gc_grace=3,
        network_pool=f"10.{202 + 2 * secrets.randbelow(24) + _worker() % 2}.0.0/16",
        git_hosts=bridge_address(),
    )
    require(_engine_answers(settings), "a Docker Engine")
    made = Installation(settings)
    try:
        made.up()
    except PaasError as error:
        told = made.logs()
        made.clean()
        shutil.rmtree(folder, ignore_errors=True)
        pytest.fail(f"the platform does not come up: {error.message} {error.hint}\n" + "\n".join([*made.said, told]))
    try:
        yield made
    finally:
        made.clean()
        shutil.rmtree(folder, ignore_errors=True)
