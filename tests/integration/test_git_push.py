"""The stock git client against a real gunicorn: what a push may do, and what hostile ones may not (threats.md G)."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from paas.actions import access, apps, builds, projects, pushes
from paas.actions.access import Actor
from paas.actions.platform import Platform
from paas.git import commands
from tests.factories import make_user
from tests.integration import push_server

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parent.parent.parent
ZERO = "0" * 40
SERVED = "tests.integration.push_server:application"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(url, timeout=2)
        except httpx.TransportError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.05)
        else:
            return


@dataclass
class World:
    folder: Path
    platform: Platform
    ada: Actor
    url: str
    token: str
    process: subprocess.Popen[bytes]

    def remote(self, app: str, token: str = "", project: str = "shop") -> str:
        return self.url.replace("http://", f"http://any:{token or self.token}@") + f"/git/{project}/{app}.git"

    def app(self, name: str) -> pushes.PushTarget:
        apps.create(self.platform, self.ada, "shop", name, "", "main")
        return pushes.target(self.platform, self.ada, "shop", name, write=True)

    def head(self, target: pushes.PushTarget, ref: str = "refs/heads/main") -> str:
        if not target.repository.exists():
            return ""
        found = commands.run(self.platform.settings, target.repository, "rev-parse", "--verify", "--quiet", ref)
        return found.stdout.decode().strip()

    def builds(self, name: str) -> list[builds.BuildInfo]:
        return builds.list_all(self.platform, self.ada, "shop", name, None, 50)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("git")
    registry_port, port = free_port(), free_port()
    program = shutil.which("docker-registry")
    assert program, "install docker-registry"
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
        "http": {"addr": f"127.0.0.1:{registry_port}"},
    }
    (folder / "registry.yml").write_text(json.dumps(config))
    state = folder / "state"
    environ = {
        **os.environ,
        "PAAS_STATE": str(state),
        "PAAS_TEST_REGISTRY": f"http://127.0.0.1:{registry_port}",
        "PYTHONPATH": str(ROOT),
    }
    registry = subprocess.Popen([program, "serve", str(folder / "registry.yml")], stderr=subprocess.DEVNULL)
    with (folder / "web.log").open("wb") as log:
        web = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "python:paas.web.gunicorn", "--bind", f"127.0.0.1:{port}", SERVED],
            env=environ,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(f"http://127.0.0.1:{registry_port}/v2/")
        wait_for(f"http://127.0.0.1:{port}/")
        platform = push_server.make(state, f"http://127.0.0.1:{registry_port}")
        ada = make_user(platform)
        projects.create(platform, ada, "shop")
        token = access.create_token(platform, ada, "test", None).token
        yield World(folder, platform, ada, f"http://127.0.0.1:{port}", token, web)
    finally:
        for process in (web, registry):
            process.terminate()
            process.wait(40)


@pytest.fixture(autouse=True)
def _leaves_nothing_behind(world: World) -> Iterator[None]:
    yield
    assert not list(world.platform.settings.repositories.glob("*/objects/tmp_objdir-*")), "a quarantine is left"


class Clone:
    """A developer's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_TERMINAL_PROMPT": "0",
            **{
                f"GIT_{who}_{what}": f"{who}@example.org"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }
        return subprocess.Popen(
            ["git", *arguments],
            cwd=self.folder,
            env=environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def git(self, *arguments: str, code: int | None = 0) -> str:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=120)
        assert code is None or process.returncode == code, f"git {arguments}: {process.returncode}\n{output}"
        return output

    def commit(self, message: str = "change", **files: str) -> str:
        for name, text in (files or {"app.py": f"print({time.monotonic()})\n"}).items():
            (self.folder / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def test_push_builds_deploys_and_ends_with_the_url(world: World, clone: Clone) -> None:
    target = world.app("first")
    commit = clone.commit()
    output = clone.git("push", world.remote("first"), "main")
    assert "remote: -----> Build 1 of" in output
    assert f"remote: =====> {target.url} deployed to paas (v1)" in output
    assert world.head(target) == commit
    assert world.builds("first")[0].author == "AUTHOR@example.org <AUTHOR@example.org>"
    assert clone.git("clone", "-q", world.remote("first"), "again") == ""
    assert clone.git("-C", "again", "rev-parse", "HEAD").strip() == commit


def test_output_of_a_build_cannot_move_the_terminal(world: World, clone: Clone) -> None:
    world.app("colours")
    clone.commit()
    output = clone.git("push", world.remote("colours"), "main")
    assert "\x1b[32mgreen\x1b[0m" in output
    assert "\x1b[2J" not in output
    assert "\x1b]0" not in output


def test_failed_build_rejects_the_ref_and_the_next_push_works(world: World, clone: Clone) -> None:
    target = world.app("failing")
    clone.commit("fail")
    output = clone.git("push", world.remote("failing"), "main", code=1)
    assert "remote:  !     assemble ended with code 1" in output
    assert "pre-receive hook declined" in output
    assert world.head(target) == ""
    assert "already up to date" not in clone.git("push", world.remote("failing"), "main", code=1)
    clone.commit("fixed")
    assert "(v1)" in clone.git("push", world.remote("failing"), "main")


def test_other_branches_and_tags_are_stored_and_not_built(world: World, clone: Clone) -> None:
    target = world.app("branches")
    commit = clone.commit()
    clone.git("tag", "v1.0")
    output = clone.git("push", world.remote("branches"), "main:feature", "v1.0")
    assert "Branch feature is stored, not built: this app deploys main." in output
    assert "Tag v1.0 is stored, not built." in output
    assert world.builds("branches") == []
    assert world.head(target, "refs/heads/feature") == commit
    assert "is deleted" in clone.git("push", world.remote("branches"), ":feature")
    clone.git("push", world.remote("branches"), "main")
    output = clone.git("push", world.remote("branches"), ":main", code=1)
    assert "main is the branch that this app deploys" in output
    assert world.head(target) == commit


def test_forced_push_builds_that_commit(world: World, clone: Clone) -> None:
    target = world.app("forced")
    old = clone.commit()
    clone.commit()
    clone.git("push", world.remote("forced"), "main")
    clone.git("reset", "-q", "--hard", old)
    output = clone.git("push", "--force", world.remote("forced"), "main")
    assert "(v2)" in output
    assert world.head(target) == old
    assert world.builds("forced")[0].commit == old


def test_empty_repository_empty_tree_and_shallow_clone(world: World, clone: Clone) -> None:
    target = world.app("empty")
    assert "does not match any" in clone.git("push", world.remote("empty"), "main", code=1)
    clone.git("commit", "-q", "--allow-empty", "-m", "nothing")
    assert "the commit holds no files" in clone.git("push", world.remote("empty"), "main", code=1)
    clone.commit()
    clone.commit()
    clone.git("clone", "-q", "--depth", "1", f"file://{clone.folder}", "shallow")
    assert "(v1)" in clone.git("-C", "shallow", "push", world.remote("empty"), "main")
    commit = clone.commit()
    assert "(v2)" in clone.git("push", world.remote("empty"), "main")
    assert world.head(target) == commit


def test_tree_is_exported_as_committed_whatever_its_attributes_say(world: World, clone: Clone) -> None:
    target = world.app("attributes")
    lines = ["* export-ignore", "[attr]evil export-ignore text eol=crlf", "*.txt evil", "*.id export-subst ident"]
    lines += ["*.u working-tree-encoding=UTF-16", "* filter=run"]
    files = {"a.txt": "one\ntwo\n", "b.id": "$Format:%H$ $Id$\n", "c.u": "text\n"}
    clone.commit("plain", **files)
    (clone.folder / ".gitattributes").write_text("\n".join(lines) + "\n")
    clone.git("add", ".gitattributes")
    clone.git("commit", "-q", "-m", "with attributes")
    clone.git("push", world.remote("attributes"), "main")
    commit = world.head(target)
    listed = subprocess.run(
        commands.argv(target.repository, "archive", "--format=tar", commit),
        env=commands.environment(world.platform.settings) | {"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    (clone.folder / "out").mkdir()
    subprocess.run(["tar", "-x", "-C", str(clone.folder / "out")], input=listed, check=True)
    for name, text in files.items():
        assert (clone.folder / "out" / name).read_text() == text


def test_hostile_trees_name_the_entry(world: World, clone: Clone) -> None:
    world.app("hostile")
    (clone.folder / "out").symlink_to("/etc/passwd")
    clone.commit()
    output = clone.git("push", world.remote("hostile"), "main", code=1)
    assert "'out'" in output
    assert world.builds("hostile") == []


def test_git_bomb_is_stopped_by_the_entry_limit(world: World, clone: Clone) -> None:
    world.app("bomb")
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], input=b"x", cwd=clone.folder, stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    kind, name = "100644 blob", blob.strip()
    for _ in range(10):
        tree = "".join(f"{kind} {name}\tf{n}\n" for n in range(10)).encode()
        made = subprocess.run(["git", "mktree"], input=tree, cwd=clone.folder, stdout=subprocess.PIPE, check=True)
        kind, name = "040000 tree", made.stdout.decode().strip()
    commit = clone.git("commit-tree", name, "-m", "bomb").strip()
    started = time.monotonic()
    output = clone.git("push", world.remote("bomb"), f"{commit}:refs/heads/main", code=1)
    assert "more than 2000 files and folders" in output
    assert time.monotonic() - started < 10


def test_submodules_and_lfs_pointers_are_told(world: World, clone: Clone) -> None:
    world.app("special")
    clone.commit()
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    (clone.folder / ".gitattributes").write_text("*.bin filter=lfs -text\n")
    (clone.folder / "model.bin").write_text(pointer)
    clone.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/lib")
    clone.git("-c", "filter.lfs.clean=cat", "add", "model.bin", ".gitattributes")
    clone.git("commit", "-q", "-m", "special")
    output = clone.git("push", world.remote("special"), "main")
    assert "vendor/lib is a submodule" in output
    assert "model.bin is a Git LFS pointer" in output


def test_two_pushes_at_once_build_one_after_the_other(world: World, clone: Clone, tmp_path: Path) -> None:
    target = world.app("race")
    first = clone.commit("slow 3")
    other = Clone(tmp_path / "other")
    other.commit("rival")
    one = clone.start("push", world.remote("race"), "main")
    wait_until(lambda: world.builds("race") != [])
    two = other.start("push", world.remote("race"), "main")
    said_one, said_two = one.communicate(timeout=60)[0], two.communicate(timeout=60)[0]
    assert one.returncode == 0, said_one
    assert two.returncode == 1
    assert "Waiting: another push to this app is running" in said_two
    assert "main has moved meanwhile" in said_two
    assert world.head(target) == first
    assert len(world.builds("race")) == 1


def wait_until(holds: object, seconds: float = 20) -> None:
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def test_client_that_hangs_up_stops_neither_the_build_nor_the_ref(world: World, clone: Clone) -> None:
    target = world.app("hangup")
    commit = clone.commit("slow 3")
    process = clone.start("push", world.remote("hangup"), "main")
    wait_until(lambda: any(build.state == "running" for build in world.builds("hangup")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: world.builds("hangup")[0].state == "succeeded")
    wait_until(lambda: world.head(target) == commit)
    clone.commit()
    assert "(v2)" in clone.git("push", world.remote("hangup"), "main")


def test_pushes_without_right_all_look_alike(world: World, clone: Clone) -> None:
    target = world.app("guarded")
    clone.commit()
    mallory = make_user(world.platform, "mallory")
    foreign = access.create_token(world.platform, mallory, "t", None).token
    for remote in (world.remote("guarded", foreign), world.remote("absent", foreign), world.remote("a", project="b")):
        assert "not found" in clone.git("push", remote, "main", code=128)
    assert "Authentication failed" in clone.git("push", world.remote("guarded", "wrong"), "main", code=128)
    access.set_member(world.platform, world.ada, "shop", "mallory", "view")
    assert "403" in clone.git("push", world.remote("guarded", foreign), "main", code=128)
    assert world.head(target) == ""
    clone.git("clone", "-q", world.remote("guarded", foreign), "readable")


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "%2e%2e/x.git",
        "shop/..%2fx.git",
        "shop/%00.git",
        "shop/;id.git",
        "shop/" + "a" * 4000 + ".git",
        "shop/guarded.git.git",
        "shop/guarded.git/hooks",
        "shop/guarded.git/objects/info/packs",
        "shop/guarded.git/HEAD",
    ],
)
def test_bad_paths_are_not_found(world: World, path: str) -> None:
    address = f"{world.url}/git/{path}"
    assert httpx.get(address + "/info/refs?service=git-upload-pack").status_code in (401, 404)
    answer = httpx.get(address + "/info/refs?service=git-upload-pack", auth=("any", world.token))
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/-h",
        "refs/heads/--output=x",
        "refs/pull/1/head",
        "refs/replace/" + "1" * 40,
        "refs/heads/" + "n" * 250,
    ],
)
def test_bad_refs_are_refused(world: World, clone: Clone, ref: str) -> None:
    commit = clone.commit()
    existing = {app.name for app in apps.list_all(world.platform, world.ada, "shop")}
    target = (
        pushes.target(world.platform, world.ada, "shop", "refs", write=True)
        if "refs" in existing
        else world.app("refs")
    )
    body = pkt(f"{ZERO} {commit} {ref}\0 report-status side-band-64k\n") + b"0000"
    pack = subprocess.run(
        ["git", "pack-objects", "--stdout", "--revs", "-q"],
        input=b"HEAD\n",
        cwd=clone.folder,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    answer = post(world, "refs", body + pack)
    assert b"pre-receive hook declined" in answer.content
    assert world.head(target, ref) == ""


def pkt(line: str) -> bytes:
    return b"%04x" % (len(line) + 4) + line.encode()


def post(world: World, app: str, body: bytes, **headers: str) -> httpx.Response:
    sent = {
        "Content-Type": "application/x-git-receive-pack-request",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    address = f"{world.url}/git/shop/{app}.git/git-receive-pack"
    return httpx.post(address, content=body, headers=sent, auth=("any", world.token), timeout=60)


def test_damaged_and_bombed_bodies_are_refused_in_flat_memory(world: World) -> None:
    world.app("bodies")
    bomb = gzip.compress(bytes(64 * 1024 * 1024), 9)
    peak = memory_of(world)
    for body, headers in (
        (b"", {}),
        (b"0", {}),
        (b"zzzz", {}),
        (b"\x1f\x8b broken", {"Content_Encoding": "gzip"}),
        (bomb[:-20], {"Content_Encoding": "gzip"}),
        (bomb, {"Content_Encoding": "gzip"}),
        (b"0000", {"Content_Encoding": "br"}),
        (b"0000", {"Content_Type": "text/plain"}),
    ):
        assert post(world, "bodies", body, **headers).status_code in (400, 413), body[:20]
    assert post(world, "bodies", b"0000").status_code == 200
    assert memory_of(world) - peak < 40 * 1024


def memory_of(world: World) -> int:
    """KiB, the highest of the worker so far."""
    children = Path(f"/proc/{world.process.pid}/task/{world.process.pid}/children").read_text().split()
    status = Path(f"/proc/{children[0]}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def test_pack_over_the_limit_is_refused_and_leaves_nothing(world: World, clone: Clone) -> None:
    target = world.app("large")
    (clone.folder / "big").write_bytes(os.urandom(30 * 1024 * 1024))
    clone.commit()
    peak = memory_of(world)
    output = clone.git("push", world.remote("large"), "main", code=1)
    assert "exceeds maximum allowed size" in output
    assert memory_of(world) - peak < 20 * 1024
    assert sum(path.stat().st_size for path in target.repository.rglob("*") if path.is_file()) < 100_000
    clone.git("rm", "-q", "--cached", "big")
    (clone.folder / "big").write_bytes(os.urandom(20 * 1024 * 1024))
    clone.git("commit", "-q", "--amend", "-am", "smaller")
    clone.git("add", "-A")
    clone.git("commit", "-q", "--amend", "-m", "smaller")
    assert "(v1)" in clone.git("push", world.remote("large"), "main")


def test_two_thousand_tags_are_stored_at_once(world: World, clone: Clone) -> None:
    target = world.app("tags")
    commit = clone.commit()
    packed = "".join(f"{commit} refs/tags/t{n}\n" for n in range(2000))
    (clone.folder / ".git" / "packed-refs").write_text("# pack-refs with: peeled fully-peeled sorted \n" + packed)
    output = clone.git("push", "-q", "--tags", world.remote("tags"))
    assert "and 1995 more refs, stored and not built." in output
    assert world.head(target, "refs/tags/t1999") == commit


def test_commit_of_a_deleted_branch_is_not_served(world: World, clone: Clone) -> None:
    world.app("hidden")
    clone.commit()
    clone.git("push", world.remote("hidden"), "main")
    secret = clone.commit("secret")
    clone.git("push", world.remote("hidden"), "main:leak")
    clone.git("push", world.remote("hidden"), ":leak")
    clone.git("init", "-q", "thief")
    output = clone.git("-C", "thief", "fetch", world.remote("hidden"), secret, code=None)
    assert "unadvertised object" in output or "not our ref" in output


def test_platform_that_dies_rejects_the_push(world: World, clone: Clone) -> None:
    """Last: it kills the worker; gunicorn starts another one."""
    target = world.app("dying")
    clone.commit("slow 30")
    process = clone.start("push", world.remote("dying"), "main")
    wait_until(lambda: any(build.state == "running" for build in world.builds("dying")))
    children = Path(f"/proc/{world.process.pid}/task/{world.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode != 0
    wait_until(lambda: not list(target.repository.glob("objects/tmp_objdir-*")))
    assert world.head(target) == ""
    wait_for(f"{world.url}/api/v1/healthz")
