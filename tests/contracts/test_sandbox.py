"""What every sandbox promises (paas/ports.py), on a real engine."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import time

import pytest

from paas.core.builds import Limits
from paas.errors import BuildFailed, PaasError
from paas.ports import SandboxOutOfMemory, SandboxSettings, SandboxTimeout

LIMITS = Limits(seconds=60, memory=128 << 20, cpus=1, processes=50)


@pytest.fixture(params=["docker"])
def sandboxes(request, engine, installation, tmp_path):
    return make(engine, installation, tmp_path)


SETTINGS = SandboxSettings({"PIP_INDEX_URL": "https://index.test/"}, b"CA\n")


def make(engine, installation, folder, settings=SETTINGS):
    from paas.drivers.docker.networks import Networks
    from paas.drivers.docker.sandbox import DockerSandboxes

    return DockerSandboxes(
        engine,
        installation=installation,
        settings=settings,
        registry_auth=lambda repository: {},
        networks=Networks(engine, installation, folder / "locks"),
    )


@pytest.fixture
def sandbox(sandboxes, image):
    opened = sandboxes.open(image, LIMITS, build_id="b1")
    yield opened
    opened.close()


def sh(sandbox, script, **env):
    lines = []
    return sandbox.run(("sh", "-c", script), env, lines.append), lines


def ok(sandbox, script):
    code, lines = sh(sandbox, script)
    assert code == 0, lines
    return lines


def tar_of(**files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.uid, info.gid, info.mode = len(body), 1001, 0, 0o644
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def pieces(data, size=700):
    return (data[i : i + size] for i in range(0, len(data), size))


def changed(sandbox, *ignored):
    found = sandbox.changes(ignored)
    entries = {}
    for entry, body in found.entries:
        assert entry.path not in entries
        entries[entry.path] = (entry, body.read())
    return entries, found.deleted


def test_program_tells_its_lines_and_exit_code_as_a_user_without_rights(sandbox):
    code, lines = sh(
        sandbox,
        "id -u; id -g; pwd >/dev/null; echo $GREETING >&2; grep -E 'CapEff|NoNewPrivs' /proc/self/status; exit 3",
        GREETING="hello",
    )
    assert code == 3
    lines.remove("hello")  # anywhere: the engine does not keep the order between the two streams
    assert lines[:2] == ["1001", "0"]
    assert set(lines[2:]) == {"CapEff:\t0000000000000000", "NoNewPrivs:\t1"}


def test_lines_come_while_the_program_runs(sandbox):
    told = []
    sandbox.run(("sh", "-c", "echo one; sleep 1; echo two"), {}, lambda line: told.append((line, time.monotonic())))
    assert [line for line, _ in told] == ["one", "two"]
    assert told[1][1] - told[0][1] > 0.8


def test_no_line_is_lost_or_unbounded(sandbox):
    _, lines = sh(
        sandbox, "seq 20000; head -c 100000 /dev/zero | tr '\\0' x; printf '\\n1%%\\r2%%\\r\\n\\377\\n'; printf last"
    )
    assert lines[:20000] == [str(n) for n in range(1, 20001)]
    assert lines[20000:] == ["x" * 16384 + " […]", "2%", "\ufffd", "last"]


def test_missing_program_is_an_exit_code(sandbox):
    assert sandbox.run(("no-such-program",), {}, lambda line: None) in (126, 127)


def test_operators_settings_are_in_the_environment(sandbox):
    lines = ok(sandbox, "cat $SSL_CERT_FILE $PIP_CERT $NODE_EXTRA_CA_CERTS $GIT_SSL_CAINFO; echo $PIP_INDEX_URL")
    assert lines == ["CA", "CA", "CA", "CA", "https://index.test/"]


def test_no_bundle_sets_no_variable(engine, installation, image, tmp_path):
    opened = make(engine, installation, tmp_path, SandboxSettings()).open(image, LIMITS, build_id="b1")
    try:
        assert ok(opened, "env | grep -c ca-bundle; ls /tmp/paas | grep -c bundle; true") == ["0", "0"]
    finally:
        opened.close()


def test_put_makes_the_folder_and_gives_the_files_to_the_user(sandbox):
    sandbox.put(pieces(tar_of(**{"a.txt": b"hello", "d/b.txt": b"x" * 5000})), "/opt/app/src")
    assert ok(
        sandbox, "cd /opt/app/src; cat a.txt; echo; wc -c < d/b.txt; echo new > a.txt; mkdir e; stat -c %u:%g . a.txt"
    ) == [
        "hello",
        "5000",
        "1001:0",
        "1001:0",
    ]


def test_changes_are_what_changed_and_nothing_else(sandbox):
    sandbox.put(pieces(tar_of(**{"kept.txt": b"kept", "gone.txt": b"gone"})), "/opt/app")
    ok(
        sandbox,
        "cd /opt/app; rm gone.txt; mkdir -p lib/deep .cache; echo x > lib/deep/x; echo c > .cache/c;"
        "ln -s lib/deep/x link;"
        "printf '#!/bin/sh' > run; chmod 755 run; echo t > /tmp/t; ln lib/deep/x lib/hard; mkfifo pipe",
    )
    entries, deleted = changed(sandbox, "/tmp", "/opt/app/.cache")
    assert deleted == ()
    assert {path: entry.kind for path, (entry, _) in entries.items()} == {
        "opt": "dir",
        "opt/app": "dir",
        "opt/app/kept.txt": "file",
        "opt/app/lib": "dir",
        "opt/app/lib/deep": "dir",
        "opt/app/lib/deep/x": "file",
        "opt/app/lib/hard": "hardlink",
        "opt/app/link": "symlink",
        "opt/app/run": "file",
    }
    assert entries["opt/app/kept.txt"][1] == b"kept"
    assert entries["opt/app/run"][0].mode == 0o755
    assert entries["opt/app/lib/hard"][0].target == "opt/app/lib/deep/x"
    assert (entries["opt/app/lib/deep/x"][0].uid, entries["opt/app/lib/deep/x"][0].gid) == (1001, 0)


def test_nothing_done_is_no_change(sandbox):
    assert changed(sandbox) == ({}, ())


def test_hard_links_into_an_ignored_cache_bring_their_bodies(sandbox):
    """As uv installs: each file of the packages is a link into a cache beside them."""
    sandbox.put(pieces(tar_of(seed=b"")), "/opt/app")
    script = "for n in 1 2 3 4 5; do echo $n > .cache/$n; ln .cache/$n lib/$n; ln .cache/$n $n; done"
    ok(sandbox, f"cd /opt/app; mkdir -p .cache lib; {script}")
    entries, _ = changed(sandbox, "opt/app/.cache")
    bodies = {path: body for path, (entry, body) in entries.items() if entry.kind == "file"}
    links = {path: entry.target for path, (entry, _) in entries.items() if entry.kind == "hardlink"}
    assert not any(".cache" in path for path in entries)
    for n in "12345":
        pair = {f"opt/app/{n}", f"opt/app/lib/{n}"}
        (file,) = pair & bodies.keys()
        assert bodies[file] == f"{n}\n".encode()
        assert pair == {file} or links[(pair - {file}).pop()] == file


def test_many_scattered_changes_take_few_calls(sandbox):
    sandbox.put(pieces(tar_of(**{f"pkg{n}/a": b"a" for n in range(300)})), "/opt/app")
    ok(sandbox, "cd /opt/app; for d in pkg*; do echo new > /opt/app/$d.txt; done")
    began = time.monotonic()
    entries, _ = changed(sandbox)
    assert len([e for e, _ in entries.values() if e.kind == "file"]) == 600
    assert time.monotonic() - began < 3


def test_deletions_from_the_image_are_told(sandboxes, image):
    opened = sandboxes.open(image, LIMITS, build_id="b1")
    try:
        # Without capabilities not even root may delete a folder of the image that is somebody else's; its own it may.
        assert (
            sandbox_as_root(opened, "rm /etc/resolv.conf 2>/dev/null; rm -r /usr/share/doc && mkdir -p /usr/share/new")
            == 0
        )
        entries, deleted = changed(opened)
        assert deleted == ("usr/share/doc",)
        assert "usr/share/new" in entries
        assert not any(path.startswith("usr/share/doc") for path in entries)
    finally:
        opened.close()


def sandbox_as_root(sandbox, script):
    return sandbox.run(("sh", "-c", script), {}, lambda line: None, user="0:0")


def test_time_is_limited(sandboxes, image):
    opened = sandboxes.open(image, Limits(1, 128 << 20, 1, 50), build_id="b1")
    lines = []
    began = time.monotonic()
    with pytest.raises(SandboxTimeout):
        opened.run(("sh", "-c", "echo begun; sleep 60"), {}, lines.append)
    assert time.monotonic() - began < 5
    assert lines == ["begun"]
    with pytest.raises(SandboxTimeout):
        opened.put([tar_of(a=b"")], "/tmp")
    with pytest.raises(SandboxTimeout):
        opened.changes(())
    opened.close()
    opened.close()


def test_memory_is_limited_and_told_apart_from_a_failure(sandbox):
    with pytest.raises(SandboxOutOfMemory):
        sandbox.run(("python3", "-c", "x = bytearray(300 << 20)"), {}, print)
    with pytest.raises(SandboxOutOfMemory):  # a child of the program, as a compiler is
        sandbox.run(("sh", "-c", "python3 -c 'x = bytearray(300 << 20)' || exit 1"), {}, print)
    assert sh(sandbox, "exit 1")[0] == 1


def test_processes_are_limited(sandbox):
    with pytest.raises(BuildFailed) as failed:
        sh(sandbox, "for n in $(seq 200); do sleep 5 & done")
    assert failed.value.reason == "TooManyProcesses"


def test_sandboxes_do_not_reach_each_other(sandboxes, image, sandbox):
    other = sandboxes.open(image, LIMITS, build_id="b2")
    try:
        (address,) = ok(other, "hostname -i")
        server = threading.Thread(
            target=sh, args=(other, "timeout 4 python3 -c \"import socket; socket.create_server(('', 8080)).accept()\"")
        )
        server.start()
        time.sleep(1)
        code = f"import socket; socket.create_connection(('{address}', 8080), 2)"
        assert sandbox.run(("python3", "-c", code), {}, lambda line: None) == 1
        server.join()
    finally:
        other.close()


def test_sandboxes_are_confined(engine, sandbox, installation):
    with engine.door("inspect") as api:
        (listed,) = api.containers(filters={"label": [f"io.paas.installation={installation}"]})
        shown = api.inspect_container(listed["Id"])
    host = shown["HostConfig"]
    assert (host["CapDrop"], host["Privileged"], host["SecurityOpt"]) == (["ALL"], False, ["no-new-privileges"])
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"], host["NanoCpus"]) == (
        128 << 20,
        128 << 20,
        50,
        10**9,
    )
    assert (shown["Mounts"], host["Binds"], host["PortBindings"]) == ([], [], {})
    assert host["RestartPolicy"]["Name"] == "no"
    assert "token" not in json.dumps(shown["Config"]["Env"]).lower()


def test_close_leaves_nothing_and_sweep_keeps_what_it_is_told(engine, sandboxes, image, installation):
    for build in ("b1", "b2", "b3"):
        sandboxes.open(image, LIMITS, build_id=build)
    assert sandboxes.sweep(lambda: frozenset({"b2"})) == 2
    assert sandboxes.sweep(lambda: frozenset({"b2"})) == 0
    assert sandboxes.sweep(frozenset) == 1


def test_sandbox_that_was_removed_says_so(engine, sandboxes, image):
    opened = sandboxes.open(image, LIMITS, build_id="b1")
    sandboxes.sweep(frozenset)
    with pytest.raises(PaasError, match="gone"):
        opened.run(("true",), {}, print)
    opened.close()


def test_changes_over_the_limit_are_refused(engine, installation, image, tmp_path):
    from paas.drivers.docker.networks import Networks
    from paas.drivers.docker.sandbox import DockerSandboxes
    from paas.oci.archive import Limits as ArchiveLimits

    small = DockerSandboxes(
        engine,
        installation=installation,
        settings=SandboxSettings(),
        registry_auth=lambda repository: {},
        networks=Networks(engine, installation, tmp_path),
        archive_limits=ArchiveLimits(max_bytes=1000, max_entries=1000),
    )
    opened = small.open(image, LIMITS, build_id="b1")
    try:
        ok(opened, "mkdir /tmp/x; head -c 2000 /dev/zero > /tmp/x/big")
        with pytest.raises(BuildFailed):
            changed(opened)
    finally:
        opened.close()
