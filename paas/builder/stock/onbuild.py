"""Builder images with ONBUILD instructions: these run first, as a Dockerfile's would, then `assemble` on top.

They run as whom they say, but never as root: a builder that needs that is refused before anything runs.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

from paas.builder.bases import Base
from paas.builder.dockerfile import acts, context, copying
from paas.builder.dockerfile.build import Build
from paas.builder.dockerfile.parse import parse
from paas.builder.dockerfile.plan import plan
from paas.builder.job import Fetched, open_source
from paas.builder.stock import users
from paas.builder.stock.contract import Contract
from paas.core.builds import LayerNote
from paas.oci import images
from paas.oci.digests import parse_digest
from paas.oci.images import Image


@dataclass(frozen=True)
class OnBuilt:
    """The image after the instructions, and what they added to it."""

    base: Base
    notes: tuple[LayerNote, ...] = ()


def run(fetched: Fetched, reference: str, base: Base, contract: Contract) -> OnBuilt:
    """Run them, if there are any. Raises BuildFailed, LostLease, Unavailable."""
    if not contract.on_build:
        return OnBuilt(base)
    users.check_on_build(contract.on_build, contract.user)
    tools = fetched.tools
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    planned = plan(parse(f"FROM {reference}\n".encode()), {}, "", architecture)
    seen = context.read(open_source(fetched.spec, tools), tools.source_limits, fetched.files.is_ignored)
    running = Build(fetched, planned, seen, architecture, copying.prints, acts.run)
    walked = running.walk(planned.target)
    built = running.make(planned.target)
    # The kept image's labels say when it was made; ours must not, or two builds would differ.
    plain = images.extend(base.image, built.image.layers[len(base.image.layers) :], created_by="ONBUILD")
    settings = {name: value for name, value in walked.settings.items() if value}
    image = Image({**plain.config, "config": settings}, plain.layers)
    return OnBuilt(Base(built.repository, parse_digest(built.digest), image), built.notes)
