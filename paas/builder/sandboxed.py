"""Runs a builder's script in a sandbox: its output becomes lines of the story, its end one of our failures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from paas.builder import messages
from paas.builder.job import Job
from paas.oci.archive import EPOCH
from paas.ports import Changes, Sandbox, SandboxOutOfMemory, SandboxTimeout

LAST_LINES = 30
_LINE_MAX = 2000
_BATCH = 20
_IGNORED = ("/tmp", "/var/tmp", "/run", "/proc", "/sys", "/dev")  # noqa: S108 - paths inside the sandbox


@contextmanager
def opened(job: Job, repository: str, digest: str) -> Iterator[Sandbox]:
    """A sandbox on an image of the registry, gone afterwards."""
    job.tools.check()
    reference = job.reference(repository, digest)
    sandbox = job.tools.sandboxes.open(reference, job.tools.limits, build_id=job.spec.id)
    try:
        yield sandbox
    finally:
        sandbox.close()


def run(job: Job, sandbox: Sandbox, script: str, user: str, stage: str) -> None:
    """Run one script to its end. Raises BuildFailed with its last lines."""
    last: deque[str] = deque(maxlen=LAST_LINES)
    environment = {"SOURCE_DATE_EPOCH": str(EPOCH), **job.environment}
    try:
        code = sandbox.run((script,), environment, _relay(job, last), user)
    except SandboxTimeout as error:
        raise messages.timed_out(stage, job.tools.limits, last) from error
    except SandboxOutOfMemory as error:
        raise messages.out_of_memory(stage, job.tools.limits, last) from error
    job.tools.check()
    if code:
        raise messages.script_failed(script.rpartition("/")[2], code, stage, last)


def changes(job: Job, sandbox: Sandbox, destination: str, stage: str) -> Changes:
    """What the scripts changed, without temporary files and the source they were given."""
    ignored = (*_IGNORED, *(f"{destination}/{name}" for name in ("src", "scripts", "artifacts")))
    try:
        return sandbox.changes(ignored)
    except SandboxTimeout as error:
        raise messages.timed_out(stage, job.tools.limits, ()) from error


def _relay(job: Job, last: deque[str]) -> Callable[[str], None]:
    count = 0

    def relay(line: str) -> None:
        nonlocal count
        count += 1
        if count % _BATCH == 0:
            job.tools.check()
        text = line.rstrip()[:_LINE_MAX]
        last.append(text)
        job.say(messages.detail(text))

    return relay
