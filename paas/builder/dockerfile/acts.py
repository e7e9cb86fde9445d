"""Does what a segment says, in its sandbox: folders, copies, commands."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from paas.builder import messages
from paas.builder.dockerfile import copying, layer
from paas.builder.dockerfile.build import STAGE, Build, mark
from paas.builder.dockerfile.context import Look
from paas.builder.dockerfile.mounts import Mount, mounts
from paas.builder.dockerfile.parse import invalid
from paas.builder.dockerfile.plan import Stage
from paas.builder.dockerfile.values import Built
from paas.builder.dockerfile.walk import Act, Segment
from paas.errors import BuildFailed, InvalidInput
from paas.oci.archive import EPOCH
from paas.ports import Opening, Sandbox, SandboxOutOfMemory, SandboxTimeout

ROOT = "0:0"
_IGNORED = ("/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/.dockerenv")
_LAST_LINES = 30
_LINE_MAX = 2000


def run(build: Build, stage: Stage, built: Built, segments: list[Segment]) -> Built:
    """The last segment in a sandbox on what the others made. Raises BuildFailed, LostLease, Unavailable."""
    tools, segment = build.fetched.tools, segments[-1]
    last: deque[str] = deque(maxlen=_LAST_LINES)
    found = [mount for act in segment.acts for mount in mounts(act)]
    try:
        with _opened(build, built, segment, found) as sandbox:
            for act in segment.acts:
                build.fetched.say(messages.step(f"{mark(stage)}{act.instruction.shown[:200]}"))
                _do(build, stage, sandbox, act, last)
            ignored = (*_IGNORED, *(mount.target for mount in found if mount.kind != "secret"))
            return layer.keep(tools.registry, build.repository, built, segments, sandbox.changes(ignored), tools.now)
    except InvalidInput as error:
        raise messages.unfit_tree(STAGE, error) from error
    except SandboxTimeout as error:
        raise messages.timed_out(STAGE, tools.limits, last) from error
    except SandboxOutOfMemory as error:
        raise messages.out_of_memory(STAGE, tools.limits, last) from error


@contextmanager
def _opened(build: Build, built: Built, segment: Segment, found: list[Mount]) -> Iterator[Sandbox]:
    secrets = {mount.source: b"" for mount in found if mount.kind == "secret" and _is_there(build, mount)}
    places = {mount.target: mount.source for mount in found if mount.source in secrets and mount.target}
    owner = next((mount.owner for mount in found if mount.owner), ROOT)
    opening = Opening(secrets=secrets, places=places, user=owner, as_root=True, starts=segment.runs)
    sandbox = build.open(built, opening)
    try:
        yield sandbox
    finally:
        sandbox.close()


def _is_there(build: Build, mount: Mount) -> bool:
    if mount.source in build.fetched.spec.secrets:
        return True
    if mount.is_required:
        raise BuildFailed(
            f"the Dockerfile needs the build secret {mount.source!r}, which is not set",
            reason="MissingSecret",
            stage=STAGE,
            hint=f"Set it with: paasctl builds secrets set {mount.source}=VALUE",
        )
    return False


def _do(build: Build, stage: Stage, sandbox: Sandbox, act: Act, last: deque[str]) -> None:
    name = act.instruction.name
    if name == "WORKDIR":
        folder = posixpath.normpath(posixpath.join(act.folder, "."))
        if copying.kind(sandbox, folder) is None:
            copying.make_folder(sandbox, folder, Look())
    elif name == "RUN":
        _run(build, stage, sandbox, act, last)
    else:
        copying.copy(build, stage, sandbox, act)


def _run(build: Build, stage: Stage, sandbox: Sandbox, act: Act, last: deque[str]) -> None:
    env = {"SOURCE_DATE_EPOCH": str(EPOCH), **act.arguments, **act.env}
    for mount in mounts(act):
        if mount.kind == "secret":
            if mount.variable and mount.source in build.fetched.spec.secrets:
                env[mount.variable] = build.fetched.spec.secrets[mount.source]
        else:
            copying.fill(build, stage, sandbox, act, mount)

    def tell(line: str) -> None:
        text = line.rstrip()[:_LINE_MAX]
        last.append(text)
        build.fetched.say(messages.detail(text))

    code = sandbox.run(_command(act, sandbox), env, tell, act.user or ROOT, folder=act.folder)
    build.fetched.tools.check()
    if code:
        raise BuildFailed(
            f"line {act.instruction.line} of the Dockerfile ended with exit code {code}: {act.instruction.shown[:200]}",
            reason="DockerBuildFailed",
            stage=STAGE,
            hint="The lines above say why. `paasctl builds logs` shows all of them.",
            exit_code=code,
            last_lines=list(last),
        )


def _command(act: Act, sandbox: Sandbox) -> tuple[str, ...]:
    it = act.instruction
    if it.words is not None:
        if not it.words:
            raise invalid(it.line, "RUN has an empty list")
        return it.words
    if len(it.heredocs) == 1 and it.text.startswith("<<") and " " not in it.text:
        body = it.heredocs[0].body
        if body.startswith("#!"):
            copying.put_file(sandbox, "/tmp/paas/script", body.encode(), Look(mode=0o755))  # noqa: S108 - in it
            return ("/tmp/paas/script",)  # noqa: S108 - in the sandbox
        return (*act.shell, body)
    text = it.text + "".join(f"\n{one.body}{one.name}" for one in it.heredocs)
    return (*act.shell, text)
