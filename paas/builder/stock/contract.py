"""What an image says of itself as an S2I builder or runtime image: labels, and the variables that came before them.

Pure. The names that S2I calls deprecated count where the present ones are not set.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paas.errors import BuildFailed
from paas.oci.images import Image

LABEL = "io.openshift.s2i."
DESTINATION = "/tmp"  # noqa: S108 - S2I's own default, inside the sandbox
_OLD = "io.s2i."


@dataclass(frozen=True)
class Contract:
    """One image's."""

    scripts_url: str
    """Empty: its scripts come from elsewhere."""
    destination: str
    """Sources go to `src` below it, scripts to `scripts`, saved artifacts to `artifacts`."""
    assemble_user: str
    """Who the label names; empty: the image's user."""
    runtime_user: str
    """The same of `assemble-runtime`."""
    user: str
    folder: str
    """The image's working directory."""
    entrypoint: tuple[str, ...]
    input_files: str
    """What a runtime image wants from the builder: `SOURCE[:DESTINATION];…`."""
    on_build: tuple[str, ...]

    @property
    def scripts(self) -> str:
        """The folder for scripts that the image does not have."""
        return f"{self.destination}/scripts"

    @property
    def source(self) -> str:
        """The folder for the source."""
        return f"{self.destination}/src"


def read(image: Image) -> Contract:
    """The image's contract. Raises BuildFailed where it contradicts itself."""
    settings: Mapping[str, Any] = image.config.get("config") or {}
    labels, env = image.labels, image.env
    destination = _label(labels, "destination") or env.get("STI_LOCATION", "") or DESTINATION
    if not re.fullmatch(r"(?:/[A-Za-z0-9._-]+)+/?", destination) or ".." in destination.split("/"):
        raise BuildFailed(
            f"the builder's destination is {destination[:100]!r}",
            reason="PullBuilderImageFailed",
            stage="pull",
            hint=f"Its label {LABEL}destination must be an absolute path.",
        )
    return Contract(
        scripts_url=_label(labels, "scripts-url") or env.get("STI_SCRIPTS_URL", ""),
        destination=destination.rstrip("/"),
        assemble_user=labels.get(f"{LABEL}assemble-user", ""),
        runtime_user=labels.get(f"{LABEL}assemble-runtime-user", ""),
        user=image.user,
        folder=posixpath.normpath(posixpath.join("/", str(settings.get("WorkingDir") or "/"))),
        entrypoint=tuple(settings.get("Entrypoint") or ()),
        input_files=labels.get(f"{LABEL}assemble-input-files", ""),
        on_build=tuple(settings.get("OnBuild") or ()),
    )


def _label(labels: Mapping[str, str], name: str) -> str:
    return labels.get(f"{LABEL}{name}") or labels.get(f"{_OLD}{name}") or ""
