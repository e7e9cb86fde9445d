"""How people name an image, taken apart: `nginx`, `quay.io/org/app:1`, `host:5000/app@sha256:…`.

A name without a host means Docker Hub, as everywhere; written out, so that nothing else guesses later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from paas.errors import InvalidInput

HUB = "docker.io"
_HUB_NAMES = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?")
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HINT = "Write HOST/NAME:TAG or HOST/NAME@sha256:DIGEST, for example docker.io/library/nginx:1.27."


@dataclass(frozen=True)
class Reference:
    """An image's full name."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""
    """Decides where there is one: a tag beside it is only for people."""

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"

    @property
    def name(self) -> str:
        """Without tag and digest."""
        return f"{self.host}/{self.repository}"

    @property
    def version(self) -> str:
        """What a registry is asked for."""
        return self.digest or self.tag


def parse(text: str) -> Reference:
    """The reference that a person wrote. Raises InvalidInput."""
    name, at, digest = text.strip().partition("@")
    tag = "" if at else "latest"
    if ":" in name.rpartition("/")[2]:
        name, _, tag = name.rpartition(":")
        tag = tag or "-"  # a colon and nothing behind it is a mistake
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and (bool({".", ":"} & set(first)) or first == "localhost")
    host, repository = (first.lower(), rest) if is_host else (HUB, name)
    if host in _HUB_NAMES:
        host, repository = HUB, repository if "/" in repository else f"library/{repository}"
    fits = _HOST.fullmatch(host) and _REPOSITORY.fullmatch(repository) and len(repository) <= 255
    if not fits or (tag and not _TAG.fullmatch(tag)) or (at and not _DIGEST.fullmatch(digest)):
        raise InvalidInput(f"{text[:200]!r} is not an image's name", field="image", hint=_HINT)
    return Reference(host, repository, tag, digest)
