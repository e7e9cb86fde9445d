"""What a sandbox does with programs that mean harm: each ends in a named failure, soon."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from paas.errors import BuildFailed, LostLease, NotFound
from paas.ports import Opening, SandboxTimeout
from tests.contracts.test_sandbox import LIMITS, changed, make, ok, sh, tar_of


@pytest.fixture
def sandboxes(engine, installation, tmp_path):
    return make(engine, installation, tmp_path)


@pytest.fixture
def opened(sandboxes, image):
    """Opens sandboxes; closes them all."""
    found = []

    def open_one(limits=LIMITS, **opening):
        found.append(sandboxes.open(image, limits, build_id="b1", opening=Opening(**opening)))
        return found[-1]

    yield open_one
    for sandbox in found:
        sandbox.close()


def failure(sandbox, script):
    with pytest.raises(BuildFailed) as failed:
        sh(sandbox, script)
    assert failed.value.hint
    return failed.value.reason


def test_silent_program_ends_soon_after_a_cancel(opened):
    cancelled = threading.Event()

    def check():
        if cancelled.is_set():
            raise LostLease

    sandbox = opened(check=check)
    threading.Timer(1, cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(LostLease):
        sh(sandbox, "sleep 60")
    assert time.monotonic() - began < 3
    with pytest.raises(LostLease):
        sandbox.put([tar_of(a=b"")], "/tmp")


def test_cancelled_before_it_starts(sandboxes, image):
    def check():
        raise LostLease

    with pytest.raises(LostLease):
        sandboxes.open(image, LIMITS, build_id="b1", opening=Opening(check=check))


@pytest.mark.parametrize(
    "script",
    [
        "head -c 600000000 /dev/zero > /tmp/big; sleep 30",
        "cd /tmp; for n in $(seq 100); do head -c 8000000 /dev/zero > $n; done; sleep 30",
    ],
)
def test_disk_is_limited(opened, script):
    began = time.monotonic()
    assert failure(opened(replace(LIMITS, disk=256 << 20)), script) == "DiskFull"
    assert time.monotonic() - began < 15


def test_sparse_file_writes_nothing_and_makes_no_layer(opened, engine, installation, tmp_path, image):
    from paas.oci.archive import Limits as ArchiveLimits

    sandbox = opened(replace(LIMITS, disk=64 << 20))
    sandbox._archive_limits = ArchiveLimits(max_bytes=1 << 30, max_entries=100)
    ok(sandbox, "mkdir /tmp/x; python3 -c \"open('/tmp/x/sparse', 'w').truncate(1 << 40)\"")
    began = time.monotonic()
    with pytest.raises(BuildFailed) as failed:
        changed(sandbox)
    assert failed.value.reason in ("export_failed", "too_large")
    assert time.monotonic() - began < 5


def test_fork_bomb_is_ended(opened):
    bomb = "import os\nwhile True:\n try: os.fork()\n except OSError: pass\n"
    began = time.monotonic()
    with pytest.raises(BuildFailed) as failed:
        opened().run(("python3", "-c", bomb), {}, print)
    assert failed.value.reason == "TooManyProcesses"
    assert time.monotonic() - began < 20


def test_gigabytes_of_output_are_ended_and_lines_are_counted(opened):
    lines = []
    began = time.monotonic()
    with pytest.raises(BuildFailed) as failed:
        opened().run(("sh", "-c", "yes $(printf '%01000d' 0)"), {}, lines.append)
    assert failed.value.reason == "OutputTooLarge"
    assert time.monotonic() - began < 20
    assert len(lines) < 80_000
    assert any("lines dropped" in line for line in lines)


def test_binary_output_becomes_text(opened):
    _, lines = sh(opened(), "head -c 300000 /dev/urandom; printf '\\n\\033[31mred\\000\\n'")
    assert all(isinstance(line, str) and "\0" not in line for line in lines)


def test_secrets_are_files_in_memory_and_no_change(opened):
    sandbox = opened(secrets={"token": b"s3cret\n", "key": b"\x00\xff"}, places={"/home/npmrc": "token"})
    lines = ok(
        sandbox, "cat /run/secrets/token /home/npmrc; stat -c '%a %u:%g' /run/secrets/key; wc -c </run/secrets/key"
    )
    assert lines == ["s3cret", "s3cret", "400 1001:0", "2"]
    assert sh(sandbox, "echo x > /run/secrets/new")[0] != 0
    sandbox.put([tar_of(a=b"1")], "/home/x")
    entries, _ = changed(sandbox)
    assert {path for path, (entry, _) in entries.items() if entry.kind == "file"} == {"home/x/a"}
    sandbox.close()
    assert not list(Path("/dev/shm").glob("paas-test-*-secrets/*"))


def test_sweep_removes_secrets_that_a_killed_worker_left(sandboxes, image):
    sandboxes.open(image, LIMITS, build_id="lost", opening=Opening(secrets={"a": b"1234"}))
    assert list(Path("/dev/shm").glob("paas-test-*-secrets/lost-*"))
    sandboxes.sweep(frozenset)
    assert not list(Path("/dev/shm").glob("paas-test-*-secrets/lost-*"))


def test_root_inside_owns_files_and_is_nobody_outside(opened):
    sandbox = opened(as_root=True)
    script = "id -u; echo x > /etc/x; chown 5:6 /etc/x; chmod 4755 /etc/x; stat -c %u:%g /etc/x"
    lines = []
    assert sandbox.run(("sh", "-c", script), {}, lines.append, "0:0", folder="/etc") == 0
    assert lines == ["0", "5:6"]
    for forbidden in (
        "mknod /tmp/dev b 8 0",
        "mount -t tmpfs none /mnt",
        "echo 1 > /proc/sys/kernel/panic",
        "echo b > /proc/sysrq-trigger",
        "cd /sys/fs/cgroup; test -e memory && cd memory; echo 1 > cgroup.procs",
        "chroot / true",
        "test -S /var/run/docker.sock",
        "hostname x",
    ):
        assert sandbox.run(("sh", "-c", forbidden), {}, lambda line: None, "0:0") != 0, forbidden
    entries, _ = changed(sandbox)
    assert (entries["etc/x"][0].mode, entries["etc/x"][0].uid) == (0o755, 5), "no setuid bit leaves a sandbox"


def test_devices_fifos_and_names_that_are_not_text(opened):
    sandbox = opened()
    ok(sandbox, "mkdir -p /tmp/x; mkfifo /tmp/x/fifo; echo 1 > /tmp/x/plain")
    entries, _ = changed(sandbox)
    assert {p for p in entries if "/x/" in p} == {"tmp/x/plain"}
    other = opened()
    ok(other, "mkdir -p /tmp/x; printf x > \"$(printf '/tmp/x/\\377name')\"")
    found, _ = changed(other)
    assert "tmp/x/\udcffname" in found


def test_program_that_still_runs_is_frozen_while_its_changes_are_read(opened):
    sandbox = opened()
    ok(sandbox, "mkdir /tmp/x; cd /tmp/x; echo begin > a; (while :; do date +%N > a; done) >/dev/null 2>&1 &")
    first, _ = changed(sandbox)
    time.sleep(0.5)
    second, _ = changed(sandbox)
    assert first["tmp/x/a"][1] == second["tmp/x/a"][1]


def test_reading_back_and_a_sandbox_that_never_starts(opened):
    sandbox = opened(starts=False)
    sandbox.put([tar_of(a=b"1", b=b"22")], "/opt/new")
    read = {entry.path: body.read() for entry, body in sandbox.read("/opt/new")}
    assert {path: body for path, body in read.items() if body} == {"opt/new/a": b"1", "opt/new/b": b"22"}
    with pytest.raises(NotFound):
        list(sandbox.read("/opt/none"))
    entries, _ = changed(sandbox)
    assert "opt/new/a" in entries


def test_time_over_is_said_also_after_it(opened):
    sandbox = opened(replace(LIMITS, seconds=1))
    time.sleep(2.2)
    with pytest.raises(SandboxTimeout):
        sh(sandbox, "true")
