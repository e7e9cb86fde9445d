"""Labels that a builder's `assemble` wants on the image: `/tmp/.s2i/image_metadata.json`."""

from __future__ import annotations

import json
from contextlib import closing

from paas.errors import BuildFailed, NotFound
from paas.ports import Sandbox

PATH = "/tmp/.s2i/image_metadata.json"  # noqa: S108 - where S2I looks, inside the sandbox
MAX_LABELS = 10240
"""Bytes of all names and values together, S2I's limit."""
_MAX_FILE = 1024 * 1024


def read(sandbox: Sandbox) -> dict[str, str]:
    """The labels; none where `assemble` wrote no such file. Raises BuildFailed."""
    try:
        with closing(sandbox.read(PATH)) as entries:
            for entry, body in entries:
                if entry.kind != "file" or entry.size > _MAX_FILE:
                    raise _unfit(f"is no file of at most {_MAX_FILE} bytes")
                return parse(body.read())
    except NotFound:
        return {}
    return {}


def parse(content: bytes) -> dict[str, str]:
    """`{"labels": [{"NAME": "VALUE"}, …]}`. Raises BuildFailed."""
    try:
        listed = json.loads(content)["labels"]
        found = {name: value for labels in listed for name, value in labels.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _unfit('is not {"labels": [{"NAME": "VALUE"}]}') from None
    if not all(isinstance(value, str) and name.strip() for name, value in found.items()):
        raise _unfit("has a label that is not a text")
    size = sum(len(f"{name}{value}".encode("utf-8", "replace")) for name, value in found.items())
    if size > MAX_LABELS:
        raise _unfit(f"has labels of {size} bytes; at most {MAX_LABELS} are kept")
    return found


def _unfit(what: str) -> BuildFailed:
    return BuildFailed(
        f"{PATH} {what}",
        reason="GenericS2IBuildFailed",
        stage="assemble",
        hint="The builder's assemble script writes it; put what is long into a file of the image.",
    )
