"""The actions on PostgreSQL: their own tests once more, and claims from many threads at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from paas.actions import build_queue, build_runs, builds
from paas.db.models import App, Build
from tests.factories import make_app, make_platform, make_user
from tests.unit.actions.test_builds import push

ROOT = Path(__file__).parents[2]
TESTS = [f"tests/unit/actions/test_{name}.py" for name in ("builds", "events", "leases")]
"""Those in which several write at once, or a claim is taken."""
PROGRAMS = Path("/usr/lib/postgresql")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of our own on a unix socket."""
    initdb = next(iter(sorted(PROGRAMS.glob("*/bin/initdb"))), None)
    if (initdb is None or os.geteuid() != 0) and "CI" not in os.environ:
        pytest.skip("PostgreSQL or root is missing: bin/setup test")
    assert initdb
    folder = Path(
        subprocess.run(["mktemp", "-d"], capture_output=True, text=True, timeout=9, check=True).stdout.strip()
    )
    shutil.chown(folder, "postgres")
    control = [str(initdb.parent / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=200"
    try:
        for argv in ([str(initdb), "-D", str(folder / "data"), "-A", "trust", "--no-sync"],
                     [*control, "-o", options, "-l", str(folder / "log"), "start"]):  # fmt: skip
            subprocess.run(argv, user="postgres", cwd=folder, stdout=subprocess.DEVNULL, timeout=60, check=True)
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], user="postgres", cwd=folder, timeout=60, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def test_actions_pass_their_tests(server: str) -> None:
    argv = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS]
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env={**os.environ, "PAAS_TEST_POSTGRESQL": server},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_claims_from_many_threads_keep_the_limits_and_numbers(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAAS_TEST_POSTGRESQL", server)
    platform = make_platform(tmp_path, build_concurrency=4, builds_per_project=3)
    actor = make_user(platform)
    targets = [make_app(platform, actor, f"p{n % 3}", f"app{n}") for n in range(6)]
    together(12, lambda n: builds.start(platform, actor, targets[n % 6], push(n)))
    with platform.db.read() as session:
        rows = session.execute(select(Build.app_id, Build.number)).all()
        ids = list(session.scalars(select(Build.id)))
    assert sorted(rows) == sorted({(t.app_id, number) for t in targets for number in (1, 2)})
    claimed: list[str] = []
    together(24, lambda n: claimed.extend([ids[n % 12]] if build_runs._claim(platform, ids[n % 12]) else []))
    with platform.db.read() as session:
        running = session.execute(select(App.project_id, App.id).join(Build).where(Build.state == "running")).all()
    assert len(claimed) == len(set(claimed)) == len(running) <= 4
    assert max(Counter(project for project, _ in running).values()) <= 3
    assert max(Counter(app for _, app in running).values()) == 1
    assert build_queue.runnable(platform) == [] or len(running) < 4
    platform.db.engine.dispose()


def together(count: int, work) -> None:
    """All at once."""
    gate = threading.Barrier(count)
    errors: list[BaseException] = []

    def one(n: int) -> None:
        gate.wait(10)
        try:
            work(n)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
