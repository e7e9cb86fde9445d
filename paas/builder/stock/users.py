"""Who may run a builder's scripts: numeric users that are not root (`s2i build --allowed-uids=1-`).

A name says nothing of the number behind it, and an image may call root anything: names are refused, as S2I refuses
them when user ids are restricted. Here they always are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from paas.builder.dockerfile.parse import parse_line
from paas.builder.stock.contract import Contract
from paas.errors import BuildFailed

_ALLOWED = re.compile(r"0*[1-9][0-9]{0,9}(?::[0-9]{1,10})?")


def is_allowed(user: str) -> bool:
    """Is it a number other than root's?"""
    return bool(_ALLOWED.fullmatch(user))


def of_assemble(contract: Contract, setting: str = "") -> str:
    """Who runs `assemble`. Raises BuildFailed."""
    user = setting or contract.assemble_user or contract.user
    if not is_allowed(user):
        raise refused("AssembleUserForbidden", user, "the builder's assemble script")
    return user


def of_runtime(contract: Contract) -> str:
    """Who runs `assemble-runtime`. Raises BuildFailed."""
    user = contract.runtime_user or contract.user
    if not is_allowed(user):
        raise refused("AssembleUserForbidden", user, "the runtime image's assemble-runtime script")
    return user


def check_on_build(instructions: Iterable[str], user: str) -> None:
    """Would ONBUILD instructions run as another than a numeric user? Raises BuildFailed.

    Read by the parser that runs them later: a reading of its own could miss what that one understands.
    """
    for text in instructions:
        instruction = parse_line(text, 1)
        if instruction.name == "USER":
            user = instruction.text
        if instruction.name in ("USER", "RUN") and not is_allowed(user):
            raise refused("OnBuildForbidden", user, f"the builder's instruction ONBUILD {instruction.shown[:100]}")
    if not is_allowed(user):
        raise refused("OnBuildForbidden", user, "what follows the builder's ONBUILD instructions")


def refused(reason: str, user: str, what: str) -> BuildFailed:
    """The failure."""
    return BuildFailed(
        f"{what} would run as the user {user[:40] or 'root'!r}; only numbers other than 0 are allowed",
        reason=reason,
        stage="pull",
        hint="Use a builder image with a numeric USER, or with a numeric io.openshift.s2i.assemble-user label.",
    )
