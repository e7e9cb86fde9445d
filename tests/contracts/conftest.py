"""A real engine, a small image, a real router; everything is gone afterwards, by label."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from paas.core.names import AppId, ProjectId, ReleaseId
from paas.core.processes import HealthCheck, default_check
from paas.core.releases import DeploySpec, ProcessSpec, Start, instance_id, plan
from paas.errors import Unavailable

IMAGE = "paas/contract-tests:2"
SERVER = Path(__file__).with_name("server.py").read_text()
DOCKER = os.environ.get("PAAS_DOCKER_HOST", "unix:///var/run/docker.sock")
HOST = "shop.apps.localhost"


def require(condition: object, what: str) -> None:
    """Skip at home, fail where CI=true: a missing service must not hide there."""
    if not condition:
        if os.environ.get("CI"):
            pytest.fail(f"{what} is missing")
        pytest.skip(f"{what} is missing")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="session")
def engine():
    from paas.drivers.docker.client import Engine

    opened = Engine(DOCKER)
    try:
        with opened.door("greet") as api:
            api.ping()
    except Unavailable:
        require(False, "a Docker Engine")
    return opened


@pytest.fixture(scope="session")
def image(engine, tmp_path_factory) -> str:
    """Busybox and Python from Debian packages, made once per machine: 60 MB, 5 s."""
    from paas.drivers.docker.images import Images

    images = Images(engine, installation="contract-tests")
    if not images.exists(IMAGE):
        require(shutil.which("mmdebstrap"), "mmdebstrap")
        tar = tmp_path_factory.mktemp("image") / "root.tar"
        packages = "busybox-static,python3-minimal,libpython3-stdlib"
        links = 'mkdir -p "$1/usr/sbin" "$1/sbin" && chroot "$1" /bin/busybox --install -s'
        made = subprocess.run(
            [
                *("mmdebstrap", "--quiet", "--variant=extract", f"--include={packages}", f"--extract-hook={links}"),
                *("bookworm", str(tar)),
            ],
            timeout=300,
            capture_output=True,
            check=False,
        )
        require(made.returncode == 0, f"a Debian mirror ({made.stderr.decode()[-300:]})")
        images.import_base(IMAGE, tar)
    return IMAGE


@pytest.fixture
def installation(engine) -> Iterator[str]:
    from paas.drivers.docker.images import remove_everything

    name = f"test-{secrets.token_hex(4)}"
    yield name
    remove_everything(engine, name)


@dataclass
class Running:
    """The router of a test, as the Procfile would run it."""

    router: object
    port: int
    process: subprocess.Popen[bytes]


@pytest.fixture
def running_router(tmp_path) -> Iterator[Running]:
    from paas.drivers.docker.router import Router

    require(shutil.which("haproxy"), "haproxy")
    port = free_port()
    master = tmp_path / "master.sock"
    router = Router(
        tmp_path / "router",
        bind="127.0.0.1",
        port=port,
        api_host="paas.localhost",
        web_socket=tmp_path / "web.sock",
        stats_socket=tmp_path / "stats.sock",
        master_socket=master,
    )
    router.write_initial()
    with (tmp_path / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(
            ["haproxy", "-W", "-S", str(master), "-f", str(router.config)], stdout=log, stderr=log
        )
        try:
            wait_for(lambda: is_open(port))
            yield Running(router, port, process)
        finally:
            process.terminate()
            process.wait(10)


@dataclass
class Platform:
    """A driver and what its tests need beside it."""

    driver: object
    router: object
    engine: object
    port: int
    installation: str
    image: str
    make_driver: Callable[..., object]


@pytest.fixture(params=["docker"])
def platform(request, engine, image, installation, running_router, tmp_path) -> Platform:
    from paas.drivers.docker.driver import DockerDriver

    def make_driver(**changes):
        sizes = {"instance_memory": 128 << 20, "instance_processes": 64}
        times = {"health_timeout": 20, "drain_timeout": 5, "stop_grace": 2}
        return DockerDriver(
            engine,
            installation=installation,
            router=running_router.router,
            registry_auth=lambda repository: {},
            lock_folder=tmp_path / "locks",
            **{**sizes, **times, **changes},
        )

    driver = make_driver()
    driver.ensure_project(ProjectId("p1"), free_subnet(engine))
    return Platform(driver, running_router.router, engine, running_router.port, installation, image, make_driver)


def free_subnet(engine) -> str:
    """One that no network of the engine has."""
    with engine.door("list networks") as api:
        pools = [pool for network in api.networks() for pool in (network["IPAM"]["Config"] or [])]
    taken = {pool.get("Subnet") for pool in pools}
    while (subnet := f"10.213.{secrets.randbelow(256)}.0/24") in taken:
        continue
    return subnet


def web(*command: str, count: int = 1, check: HealthCheck | None = None) -> ProcessSpec:
    return ProcessSpec("web", command or ("python3", "-u", "-c", SERVER), count, check or default_check("web"), True)


def worker(*command: str, count: int = 1, check: HealthCheck | None = None) -> ProcessSpec:
    return ProcessSpec("worker", command, count, check or HealthCheck("up", uptime=1), False)


def spec(
    image: str, *processes: ProcessSpec, number: int = 1, app: str = "a1", project: str = "p1", **env
) -> DeploySpec:
    return DeploySpec(
        app_id=AppId(app),
        project_id=ProjectId(project),
        release_id=ReleaseId(f"{app}-r{number}"),
        number=number,
        app="shop",
        project="acme",
        image=image,
        env={"VERSION": str(number), **env},
        processes=processes or (web(),),
        hosts=(HOST,) if app == "a1" else (f"{app}.apps.localhost",),
    )


def start(wanted: DeploySpec, process: ProcessSpec | None = None, index: int = 1) -> Start:
    process = process or wanted.processes[0]
    return Start(wanted, process, instance_id(wanted.release_id, process.type, index), index)


def deploy(driver, wanted: DeploySpec):
    """What the deploy action does, without its story."""
    steps = plan(wanted, driver.observe(wanted.app_id))
    for step in steps:
        driver.apply(wanted.app_id, step)
    return steps


def scaled(wanted: DeploySpec, count: int) -> DeploySpec:
    return replace(wanted, processes=tuple(replace(p, count=count) for p in wanted.processes))


def is_open(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for(condition: Callable[[], object], timeout: float = 30) -> object:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not so after {timeout} s")
