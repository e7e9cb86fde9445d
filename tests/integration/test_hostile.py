"""Sources that mean harm, through the whole build: a named failure, nothing left behind, the next build unhurt.

What a single sandbox does with them is in tests/contracts/test_sandbox_hostile.py, hostile archives in
tests/unit/oci/test_archive.py.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from paas.drivers.docker.sandbox import DockerSandboxes
from paas.errors import BuildFailed, LostLease
from paas.oci.archive import Limits as ArchiveLimits
from tests.integration.kitchen import Counted, Kitchen, kitchen

pytestmark = pytest.mark.integration

GOOD = {"Dockerfile": "FROM paas/base:1\nRUN echo fine > /etc/fine\nCMD true\n"}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    with kitchen(tmp_path_factory.mktemp("kitchen")) as made:
        yield made
        assert made.build(GOOD).processes == {"web": ("/bin/sh", "-c", "true")}, "a good build still works"


@pytest.fixture
def cook(opened: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    """A project of its own; afterwards nothing of the bad build is there."""
    inner = opened.sandboxes.inner
    small = DockerSandboxes(
        opened.engine,
        installation=opened.installation,
        settings=inner._settings,
        registry_auth=inner._auth,
        networks=inner._networks,
        archive_limits=ArchiveLimits(max_bytes=64 << 20, max_entries=2500),
    )
    fresh = Kitchen(opened.engine, opened.installation, opened.host, opened.registry, Counted(small), opened.imports)
    before = spooled()
    yield fresh
    assert fresh.left() == [], "no container is left"
    assert not list(Path("/dev/shm").glob(f"paas-{opened.installation}-secrets/*")), "no secret is left"
    assert spooled() - before == set(), "no file is left"
    storage = tmp_path_factory.getbasetemp()
    assert not list(storage.glob("*/registry/storage/**/_uploads/*")), "no upload is left"


def spooled() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).iterdir() if path.name.startswith("tmp")}


def python(code: str) -> str:
    return (
        "FROM paas/base:1\nRUN <<EOF\ncat > /usr/bad.py <<'PY'\n" + code + "\nPY\npython3 /usr/bad.py\nEOF\nCMD true\n"
    )


def failure(cook: Kitchen, dockerfile: str, **spec: object) -> BuildFailed:
    with pytest.raises(BuildFailed) as failed:
        cook.build({"Dockerfile": dockerfile}, **spec)
    assert failed.value.hint
    assert failed.value.stage
    return failed.value


@pytest.mark.parametrize(
    ("case", "dockerfile", "reason"),
    [
        ("forks", python("import os\nwhile True:\n try: os.fork()\n except OSError: pass"), "TooManyProcesses"),
        ("memory", python("x = bytearray(1 << 30)"), "OutOfMemoryKilled"),
        ("disk", "FROM paas/base:1\nRUN head -c 700000000 /dev/zero > /usr/big; sleep 20\nCMD true\n", "DiskFull"),
        ("output", "FROM paas/base:1\nRUN yes $(printf '%09000d' 0)\nCMD true\n", "OutputTooLarge"),
        ("sparse", python("open('/usr/sparse', 'w').truncate(1 << 42)"), "export_failed"),
        ("entries", python("import os\nfor n in range(2600): os.mkdir(f'/usr/x{n}')"), "too_large"),
        ("large layer", "FROM paas/base:1\nRUN head -c 80000000 /dev/zero > /usr/big\nCMD true\n", "export_failed"),
        ("whiteout", "FROM paas/base:1\nRUN touch /usr/.wh.lib\nCMD true\n", "InvalidSource"),
        ("devices", "FROM paas/base:1\nRUN mknod /usr/sda b 8 0\nCMD true\n", "DockerBuildFailed"),
        ("kernel", "FROM paas/base:1\nRUN echo 1 > /proc/sys/vm/panic_on_oom\nCMD true\n", "DockerBuildFailed"),
        ("mount", "FROM paas/base:1\nRUN mount -t tmpfs x /mnt || unshare -m true\nCMD true\n", "DockerBuildFailed"),
        ("deep", python("import os\nfor n in range(150): os.mkdir('d'); os.chdir('d')"), "export_failed"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value.strip() and "\n" not in value else "",
)
def test_hostile_command_ends_with_a_name(cook: Kitchen, case: str, dockerfile: str, reason: str) -> None:
    began = time.monotonic()
    assert failure(cook, dockerfile).reason == reason, case
    assert time.monotonic() - began < 20


def test_time_over_keeps_the_last_lines(cook: Kitchen) -> None:
    cook.limits = replace(cook.limits, seconds=3)
    error = failure(cook, "FROM paas/base:1\nRUN echo begun; sleep 60\nCMD true\n")
    assert (error.reason, error.facts["last_lines"]) == ("Timeout", ["begun"])
    cook.limits = replace(cook.limits, seconds=60)


def test_silent_build_ends_soon_after_a_cancel(cook: Kitchen) -> None:
    cancelled = threading.Event()

    def check() -> None:
        if cancelled.is_set():
            raise LostLease

    cook.check = check
    timer = threading.Timer(3, cancelled.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(LostLease):
        cook.build({"Dockerfile": "FROM paas/base:1\nRUN sleep 60\nCMD true\n"})
    assert time.monotonic() - began < 5.5
    cook.check = lambda: None


def test_names_that_are_not_text_and_setuid_programs_are_tamed(cook: Kitchen) -> None:
    lines = (
        "FROM paas/base:1",
        "RUN mkdir /n && printf x > \"$(printf '/n/\\377')\" && printf x > '/n/-rf'",
        "RUN printf x > \"$(printf '/n/a\\nb')\"",
        "RUN cp /bin/busybox /usr/su && chmod 6755 /usr/su && mkfifo /usr/pipe && ln -s /etc/shadow /usr/link",
        "CMD true",
    )
    result = cook.build({"Dockerfile": "\n".join(lines)})
    told = cook.run(result.image, "sh", "-c", "find /n | wc -l; stat -c %a /usr/su; test -e /usr/pipe || echo none")
    assert told.split() == ["5", "755", "none"]


def test_bomb_in_an_archive_is_refused(cook: Kitchen) -> None:
    with pytest.raises(BuildFailed) as failed:
        cook.build({"Dockerfile": "FROM scratch\nADD bomb.tgz /\nCMD true\n", "bomb.tgz": bomb()})
    assert failed.value.reason == "InvalidDockerfile"


def bomb() -> bytes:
    """A gigabyte in a megabyte."""

    class Zeros(io.RawIOBase):
        def read(self, n: int = -1) -> bytes:
            return bytes(n)

    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as out, tarfile.open(fileobj=out, mode="w|") as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 1 << 30
        tar.addfile(info, Zeros())  # type: ignore[arg-type]
    return packed.getvalue()
