"""Where S2I's scripts are and who runs them, read from a builder image's labels.

Scripts come from the source or from the image, never from a URL; they run as a numeric user that is not root
(S2I's `--allowed-uids`): a builder that wants otherwise is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from paas.builder import messages
from paas.builder.catalog import Builder
from paas.oci.images import Image

OWN_SCRIPTS = ".s2i/bin"
_DEFAULT = "/usr/libexec/s2i"
_LABEL = "io.openshift.s2i."


@dataclass(frozen=True)
class Scripts:
    """What the labels say."""

    folder: str
    destination: str
    """Sources go to `src` below it."""
    user: str

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}"


def read(builder: Builder, image: Image) -> Scripts:
    """The builder's labels. Raises BuildFailed where it cannot be used."""
    url = image.labels.get(f"{_LABEL}scripts-url") or image.labels.get("io.s2i.scripts-url") or f"image://{_DEFAULT}"
    folder = url.removeprefix("image://")
    if not url.startswith("image:///") or not _is_plain(folder):
        raise messages.lying_builder_image(builder, f"its scripts-url is {url[:100]!r}, not image:///FOLDER")
    destination = image.labels.get(f"{_LABEL}destination") or image.labels.get("io.s2i.destination") or "/tmp"  # noqa: S108
    if not _is_plain(destination):
        raise messages.lying_builder_image(builder, f"its destination is {destination[:100]!r}")
    return Scripts(folder.rstrip("/"), destination.rstrip("/"), _user(builder, image))


def _user(builder: Builder, image: Image) -> str:
    user = image.labels.get(f"{_LABEL}assemble-user") or image.user
    if not re.fullmatch(r"[1-9][0-9]{0,9}(?::[0-9]{1,10})?", user):
        raise messages.lying_builder_image(builder, f"its user {user[:40]!r} is root or no number")
    return user


def _is_plain(path: str) -> bool:
    return bool(re.fullmatch(r"(?:/[A-Za-z0-9._-]+)+/?", path)) and ".." not in path.split("/")
