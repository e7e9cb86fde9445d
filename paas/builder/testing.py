"""The post-build test: a command that runs in the finished image and decides whether the build is one.

OpenShift's `postCommit`. It runs in a sandbox like any other; what it writes goes with the sandbox.
"""

from __future__ import annotations

import re
import shlex
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from paas.builder import messages
from paas.builder.job import Fetched
from paas.core.processes import one_off
from paas.errors import BuildFailed
from paas.oci.digests import Digest
from paas.ports import SandboxOutOfMemory, SandboxTimeout

STAGE = "test"
_LAST_LINES = 30
_LINE_MAX = 2000
_NUMERIC = re.compile(r"[1-9][0-9]{0,9}(:[0-9]{1,10})?")


def run(fetched: Fetched, image: Digest, processes: Iterable[Sequence[str]]) -> None:
    """Run the test command, as one of the app's processes would be. Raises BuildFailed, LostLease, Unavailable."""
    command = tuple(fetched.spec.settings.test_command)
    fetched.say(messages.step(f"Testing the image: {shlex.join(command)}"[:500]))
    last: deque[str] = deque(maxlen=_LAST_LINES)
    limits = fetched.tools.limits
    try:
        code = _run(fetched, image, one_off(command, processes), last)
    except SandboxTimeout as error:
        raise messages.timed_out(STAGE, limits, last) from error
    except SandboxOutOfMemory as error:
        raise messages.out_of_memory(STAGE, limits, last) from error
    fetched.tools.check()
    if code:
        raise _failed(command, code, last)
    fetched.say(messages.detail("passed"))


def _run(fetched: Fetched, image: Digest, command: Sequence[str], last: deque[str]) -> int:
    tools, spec = fetched.tools, fetched.spec

    def tell(line: str) -> None:
        text = line.rstrip()[:_LINE_MAX]
        last.append(text)
        fetched.say(messages.detail(text))

    user = tools.registry.image(fetched.repository, image).user
    reference = f"{tools.registry_host}/{fetched.repository}@{image}"
    sandbox = tools.sandboxes.open(reference, tools.limits, build_id=spec.id)
    try:
        environment: Mapping[str, str] = spec.settings.environment
        return sandbox.run(tuple(command), environment, tell, user if _NUMERIC.fullmatch(user) else "")
    finally:
        sandbox.close()


def _failed(command: Sequence[str], code: int, last: Sequence[str]) -> BuildFailed:
    return BuildFailed(
        f"the image was built, but its test command ended with exit code {code}",
        reason="PostCommitHookFailed",
        stage=STAGE,
        hint=f"The lines above say why. The command is: {shlex.join(command)[:500]}",
        exit_code=code,
        last_lines=list(last),
    )
