"""The grammar of names, and the names made from them.

One grammar for projects, apps, users and process types, so that a name is safe in a host
name, a label, a URL and a terminal. Engines, files and the router get ids, never names.
"""

from __future__ import annotations

import hashlib
import re
from typing import NewType

from paas.errors import InvalidInput

ProjectId = NewType("ProjectId", str)
AppId = NewType("AppId", str)
UserId = NewType("UserId", str)
BuildId = NewType("BuildId", str)
ReleaseId = NewType("ReleaseId", str)

GRAMMAR = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
CONFIG_GRAMMAR = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
RESERVED = frozenset(
    {"admin", "api", "app", "apps", "auth", "builders", "console", "default", "docs", "git", "health", "internal"}
    | {"localhost", "login", "logout", "paas", "platform", "public", "registry", "root", "router", "static"}
    | {"stream", "system", "www"}
)
DNS_LABEL = 63


def check_name(text: str, field: str) -> str:
    """The name itself. Raises InvalidInput naming the field and the rule that it breaks."""
    if not GRAMMAR.fullmatch(text):
        raise InvalidInput(
            f"{field} {text[:60]!r} is not a valid name",
            field=field,
            hint="Use 1 to 40 of a-z, 0-9 and '-', starting with a letter and not ending with '-'.",
        )
    if "--" in text:
        raise InvalidInput(f"{field} {text!r} has two dashes in a row", field=field, hint="Use single dashes.")
    if field in ("project", "app", "user") and text in RESERVED:
        raise InvalidInput(f"{field} {text!r} is reserved", field=field, hint="Choose another name.")
    return text


def check_config_name(text: str) -> str:
    """The name of a config variable. Raises InvalidInput."""
    if not CONFIG_GRAMMAR.fullmatch(text):
        raise InvalidInput(
            f"config variable {text[:60]!r} is not a valid name",
            field="config",
            hint="Use letters, digits and '_', not starting with a digit.",
        )
    return text


def host_label(app: str, project: str) -> str:
    """`APP-PROJECT`, with a hash instead of the tail where that is longer than a DNS label (RFC 1035)."""
    label = f"{app}-{project}"
    if len(label) <= DNS_LABEL:
        return label
    digest = hashlib.sha256(f"{app}\n{project}".encode()).hexdigest()[:8]
    return f"{label[: DNS_LABEL - 9].rstrip('-')}-{digest}"
