"""Runs a builder's script in a sandbox: its output becomes lines of the story, its end one of our failures."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from paas.builder import messages
from paas.builder.job import Job
from paas.oci.archive import EPOCH
from paas.ports import ORDINARY, Changes, Opening, Sandbox, SandboxOutOfMemory, SandboxTimeout, Say

LAST_LINES = 30
_LINE_MAX = 2000
_BATCH = 20
_IGNORED = ("/tmp", "/var/tmp", "/run", "/proc", "/sys", "/dev")  # noqa: S108 - paths inside the sandbox


@contextmanager
def opened(job: Job, repository: str, digest: str, opening: Opening = ORDINARY) -> Iterator[Sandbox]:
    """A sandbox on an image of the registry, gone afterwards."""
    job.tools.check()
    reference = job.reference(repository, digest)
    sandbox = job.tools.sandboxes.open(reference, job.tools.limits, build_id=job.spec.id, opening=opening)
    try:
        yield sandbox
    finally:
        sandbox.close()


def run(job: Job, sandbox: Sandbox, script: str, user: str, stage: str) -> None:
    """Run one script to its end. Raises BuildFailed with its last lines."""
    run_program(job, sandbox, (script,), user, stage, script)


def run_program(job: Job, sandbox: Sandbox, argv: tuple[str, ...], user: str, stage: str, script: str = "") -> None:
    """The same for a script that another program starts, named for its failure."""
    last: deque[str] = deque(maxlen=LAST_LINES)
    environment = {"SOURCE_DATE_EPOCH": str(EPOCH), **job.environment}
    try:
        code = sandbox.run(argv, environment, relay(job, last), user)
    except SandboxTimeout as error:
        raise messages.timed_out(stage, job.tools.limits, last) from error
    except SandboxOutOfMemory as error:
        raise messages.out_of_memory(stage, job.tools.limits, last) from error
    job.tools.check()
    if code:
        raise messages.script_failed((script or argv[-1]).rpartition("/")[2], code, stage, last)


def quiet(job: Job, sandbox: Sandbox, argv: tuple[str, ...], user: str, stage: str) -> int:
    """Run a program whose output nobody needs; its exit code. Raises BuildFailed where a limit ended it."""
    try:
        return sandbox.run(argv, {}, lambda line: None, user)
    except SandboxTimeout as error:
        raise messages.timed_out(stage, job.tools.limits, ()) from error
    except SandboxOutOfMemory as error:
        raise messages.out_of_memory(stage, job.tools.limits, ()) from error


def changes(job: Job, sandbox: Sandbox, destination: str, stage: str, more: tuple[str, ...] = ()) -> Changes:
    """What the scripts changed, without temporary files and what they were given (`more`)."""
    ignored = (*_IGNORED, *more, *(f"{destination}/{name}" for name in ("src", "scripts", "artifacts")))
    try:
        return sandbox.changes(ignored)
    except SandboxTimeout as error:
        raise messages.timed_out(stage, job.tools.limits, ()) from error


def relay(job: Job, last: deque[str], say: Say | None = None) -> Say:
    """Takes a program's lines: keeps the last ones, tells all, and now and then asks whether the build may go on."""
    count = 0

    def take(line: str) -> None:
        nonlocal count
        count += 1
        if count % _BATCH == 0:
            job.tools.check()
        text = line.rstrip()[:_LINE_MAX]
        last.append(text)
        if say:
            say(text)
        else:
            job.say(messages.detail(text))

    return take
