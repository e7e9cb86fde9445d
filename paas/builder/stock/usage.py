"""What a builder says about itself: the output of its `usage` script, run in a sandbox like any other."""

from __future__ import annotations

from contextlib import closing

from paas.builder.stock import contract as contracts
from paas.builder.stock import scripts, users
from paas.core.builds import Limits
from paas.errors import BuildFailed, NotFound
from paas.oci.images import Image
from paas.ports import Sandboxes, SandboxOutOfMemory, SandboxTimeout

_MAX_LINES = 1000
_SECONDS_HINT = "The builder's usage script should only print."


def usage(sandboxes: Sandboxes, limits: Limits, reference: str, image: Image, name: str) -> str:
    """The text; `name` is the sandbox's. Raises BuildFailed, Unavailable, NotFound where there is no script."""
    contract = contracts.read(image)
    user = users.of_assemble(contract)
    lines: list[str] = []

    def take(line: str) -> None:
        if len(lines) < _MAX_LINES:
            lines.append(line.rstrip())

    with closing(sandboxes.open(reference, limits, build_id=name)) as sandbox:
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
