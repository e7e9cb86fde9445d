"""A platform for pushes without containers: real database, registry, git and gunicorn; builds that only talk.

What a build does is said by the commit's message: `fail`, `slow SECONDS`, or anything else.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from paas.actions import build_runs, deploys
from paas.actions.platform import Platform
from paas.core.builds import BuildResult, BuildSpec
from paas.errors import BuildFailed
from paas.jobs import InlineJobs
from paas.oci.registry import Registry
from paas.ports import JobName, Say
from paas.settings import MIB
from paas.web.server import create_server
from tests.factories import make_platform, simple_build


def build(spec: BuildSpec, say: Say, check: Callable[[], None]) -> BuildResult:
    if spec.message == "fail":
        say("       SyntaxError: invalid syntax")
        raise BuildFailed("assemble ended with code 1", reason="AssembleFailed", stage="assemble", hint="Fix it.")
    if spec.message.startswith("slow "):
        end = time.monotonic() + float(spec.message.split()[1])
        while time.monotonic() < end:
            say("       still building")
            check()
            time.sleep(0.2)
    say("       fake \x1b[2J\x1b]0;title\x07line\rremote: ! [remote rejected] \x1b[32mgreen")
    return simple_build(spec, say, check)


def work(platform: Platform) -> None:
    jobs = platform.jobs
    assert isinstance(jobs, InlineJobs)
    verbs = {JobName.builds_run: build_runs.run, JobName.releases_deploy: deploys.deploy}
    while True:
        if not jobs.waiting:
            time.sleep(0.02)
            continue
        name, row_id = jobs.waiting.pop(0)
        threading.Thread(target=verbs[name], args=(platform, row_id), daemon=True).start()


def make(folder: Path, registry: str) -> Platform:
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    platform = make_platform(folder, build=build, push_bytes=24 * MIB, source_bytes=64 * MIB, source_entries=2000)
    return replace(platform, registry=Registry(registry))


if "PAAS_TEST_REGISTRY" in os.environ:
    served = make(Path(os.environ["PAAS_STATE"]), os.environ["PAAS_TEST_REGISTRY"])
    threading.Thread(target=work, args=(served,), daemon=True).start()
    application = create_server(served)
