"""What a builder says about itself: the output of its `usage` script, run in a sandbox like any other."""

from __future__ import annotations

from contextlib import closing

from paas.builder.bases import Base
from paas.builder.job import Tools
from paas.builder.stock import contract as contracts
from paas.builder.stock import scripts, users
from paas.errors import BuildFailed, NotFound
from paas.ports import SandboxOutOfMemory, SandboxTimeout

_MAX_LINES = 1000
_SECONDS_HINT = "The builder's usage script should only print."


def usage(tools: Tools, base: Base, build_id: str) -> str:
    """The text; `build_id` names the sandbox. Raises BuildFailed, Unavailable, NotFound where there is no script."""
    contract = contracts.read(base.image)
    user = users.of_assemble(contract)
    reference = f"{tools.registry_host}/{base.repository}@{base.digest}"
    lines: list[str] = []

    def take(line: str) -> None:
        if len(lines) < _MAX_LINES:
            lines.append(line.rstrip())

    with closing(tools.sandboxes.open(reference, tools.limits, build_id=build_id)) as sandbox:
        folder = scripts.folder_of(contract.scripts_url)
        if not folder or scripts.USAGE not in scripts.names_at(sandbox, folder):
            raise NotFound("the builder has no usage script", hint="Its documentation may say more.")
        try:
            code = sandbox.run((f"{folder}/{scripts.USAGE}",), {}, take, user)
        except (SandboxTimeout, SandboxOutOfMemory) as error:
            raise BuildFailed(str(error), reason="GenericS2IBuildFailed", stage="usage", hint=_SECONDS_HINT) from error
    if code and not lines:
        raise BuildFailed(
            f"usage ended with exit code {code}", reason="GenericS2IBuildFailed", stage="usage", hint=_SECONDS_HINT
        )
    return "\n".join(lines)
