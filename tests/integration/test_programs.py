from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from paas import programs
from paas.errors import Unavailable

pytestmark = pytest.mark.integration


def test_program_gets_a_fixed_environment_and_no_descriptors(tmp_path: Path) -> None:
    done = programs.run(["env"], cwd=tmp_path, timeout=5, env={"A": "$(id)"})
    assert set(done.stdout.decode().split("\n")) >= {"A=$(id)", "HOME=/nonexistent"}
    assert len(done.stdout.decode().splitlines()) == len(programs.ENVIRONMENT) + 1
    with (tmp_path / "f").open("w") as kept:
        os.set_inheritable(kept.fileno(), True)
        done = programs.run(["ls", "/proc/self/fd"], cwd=tmp_path, timeout=5)
    assert done.stdout.split() == [b"0", b"1", b"2", b"3"]


def test_program_reads_its_input_and_gives_its_code(tmp_path: Path) -> None:
    done = programs.run(["grep", "-c", "x"], cwd=tmp_path, timeout=5, input=b"y\n" * 100_000)
    assert (done.code, done.stdout) == (1, b"0\n")


def test_program_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    marker = f"{time.monotonic_ns() % 10**9 + 10**9}"
    with pytest.raises(Unavailable, match=r"longer than 0\.5 s"):
        programs.run(["sh", "-c", f"sleep {marker} & sleep {marker}"], cwd=tmp_path, timeout=0.5)
    time.sleep(0.2)
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in running if marker.encode() in line and b"pytest" not in line]


def test_missing_program_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be started"):
        programs.run(["no-such-program"], cwd=tmp_path, timeout=5)


def test_output_and_memory_are_bounded(tmp_path: Path) -> None:
    done = programs.run(["head", "-c", "5000000", "/dev/zero"], cwd=tmp_path, timeout=10)
    assert len(done.stdout) == programs.MAX_OUTPUT
    hungry = programs.start(
        ["python3", "-c", "import time; time.sleep(0.3); bytearray(2 << 30)"], cwd=tmp_path, memory=1 << 30
    )
    hungry.communicate(timeout=20)
    assert hungry.returncode == 1
