"""The name of a blob: `sha256:` and 64 hex digits, and no other algorithm.

One algorithm, because a registry, an engine and a database that disagree on a name lose the blob.
"""

from __future__ import annotations

import hashlib
import re
from typing import NewType

from paas.errors import InvalidInput

Digest = NewType("Digest", str)

_FORM = re.compile(r"sha256:[0-9a-f]{64}")


def sha256(data: bytes) -> Digest:
    """The digest of these bytes."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def is_digest(text: object) -> bool:
    """Whether this is a digest in the one form that is used here."""
    return isinstance(text, str) and _FORM.fullmatch(text) is not None


def parse_digest(text: object) -> Digest:
    """The digest that a stranger wrote down."""
    if not is_digest(text):
        raise InvalidInput(
            f"{str(text)[:100]!r} is not a digest.",
            field="digest",
            hint="Expected sha256: and 64 lower-case hex digits.",
        )
    return Digest(str(text))
