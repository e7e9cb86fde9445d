"""The image that a Dockerfile's target makes: its config, its layers, and who runs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from paas.builder import bases
from paas.builder.dockerfile import copying
from paas.builder.dockerfile.build import Build
from paas.builder.dockerfile.values import Built
from paas.builder.dockerfile.walk import Walk
from paas.errors import BuildFailed
from paas.oci.digests import Digest
from paas.oci.images import CREATED, Image
from paas.ports import Opening

MAX_LABELS = 64 * 1024
_NUMBERS = re.compile(r"[0-9]{1,10}(?::[0-9]{1,10})?")
_PLATFORM = ("os", "architecture", "variant", "os.version", "os.features")


def push(build: Build, walked: Walk, built: Built, repository: str) -> Digest:
    """Write it into the app's repository. Raises BuildFailed, LostLease, Unavailable."""
    skipped = len(built.base.image.layers) if built.base.is_empty else 0
    layers = built.image.layers[skipped:]
    if not layers:
        raise _nothing()
    settings = {name: value for name, value in walked.settings.items() if value}
    if user := str(settings.get("User") or ""):
        settings["User"] = _number_of(build, built, user)
    _check_labels(settings.get("Labels") or {})
    history = built.image.config.get("history") or []
    config: dict[str, Any] = {key: built.image.config[key] for key in _PLATFORM if key in built.image.config}
    config |= {
        "created": CREATED,
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [step for step in history if not step.get("empty_layer")][-len(layers) :],
    }
    if len(config["history"]) != len(layers):
        config["history"] = [{"created": CREATED, "created_by": "Dockerfile"} for _ in layers]
    registry = build.fetched.tools.registry
    bases.mount_layers(registry, repository, layers, build.repository)
    build.fetched.tools.check()
    return registry.push_image(repository, Image(config, layers))


def _number_of(build: Build, built: Built, user: str) -> str:
    """A user's name as the number that drivers run it under."""
    if _NUMBERS.fullmatch(user):
        return user
    name, _, group = user.partition(":")
    with closing(build.open(built, Opening(as_root=True, starts=False))) as sandbox:
        found = _entry(copying.read_text(sandbox, "/etc/passwd"), name)
        if not found:
            raise BuildFailed(
                f"the image has no user {name[:60]!r}",
                reason="InvalidDockerfile",
                stage="export",
                hint="USER names one that /etc/passwd of the image does not have.",
            )
        gid = found[3] if len(found) > 3 and found[3].isdecimal() else "0"
        if group:
            listed = _entry(copying.read_text(sandbox, "/etc/group"), group)
            gid = listed[2] if listed else group if group.isdecimal() else gid
    return f"{found[2]}:{gid}"


def _entry(text: str, name: str) -> list[str]:
    lines = (line.split(":") for line in text.splitlines())
    return next((fields for fields in lines if fields[0] == name and len(fields) > 2 and fields[2].isdecimal()), [])


def _check_labels(labels: Mapping[str, str]) -> None:
    size = sum(len(f"{name}{value}".encode("utf-8", "replace")) for name, value in labels.items())
    if size > MAX_LABELS:
        raise BuildFailed(
            f"the image's labels have {size} bytes; at most {MAX_LABELS} are kept",
            reason="LabelsTooLarge",
            stage="export",
            hint="Put what is that long into a file.",
        )


def _nothing() -> BuildFailed:
    return BuildFailed(
        "the Dockerfile makes an image without any file",
        reason="InvalidDockerfile",
        stage="export",
        hint="COPY something into it.",
    )
