"""The frequent causes of a failed assemble, recognised in its last lines.

Only what the tools say of themselves counts; a cause that is not known here stays AssembleFailed with its lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A cause: reason code, what to tell (empty: the exit code), what to do."""

    reason: str
    message: str
    hint: str


UNKNOWN = Known("AssembleFailed", "", "The lines above say why. `paasctl builds logs` shows all of them.")
_INDEX = "DependencyIndexUnreachable"
_CAUSES: tuple[tuple[re.Pattern[str], Known], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), Known(*known))
    for pattern, known in (
        (
            r"npm (?:ERR!|error) code (?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|\w*_CERT\w*)"
            r"|error sending request for url|client error \(Connect\)|NewConnectionError|Could not fetch URL"
            r"|request to https?://\S+ failed, reason|cannot be reached from here",
            (
                _INDEX,
                "the package index cannot be reached from the sandbox",
                "Push again; if it stays so, an operator checks PAAS_PIP_INDEX_URL, PAAS_NPM_REGISTRY and the proxy.",
            ),
        ),
        (
            r"No matching distribution found|Could not find a version that satisfies|No solution found when resolving"
            r"|was not found in the package registry|ETARGET|notarget No matching version|E404",
            (
                "AssembleFailed",
                "a dependency does not exist in the wanted version",
                "Check its name and version; versions for another Python or Node are not found either.",
            ),
        ),
        (
            r"npm (?:ERR!|error).*(?:in sync|EUSAGE)|Missing: .* from lock file|lockfile.*(?:outdated|out of date)"
            r"|frozen-lockfile|lock file is not up to date|uv\.lock.*needs to be updated|pyproject\.toml changed",
            (
                "AssembleFailed",
                "the lock file does not fit the list of dependencies",
                "Make it anew (npm install, uv lock, poetry lock), commit both files and push again.",
            ),
        ),
        (
            r"THESE PACKAGES DO NOT MATCH THE HASHES|Hash mismatch|EINTEGRITY",
            (
                "AssembleFailed",
                "a dependency's contents are not what its hash says",
                "Someone changed the package or the hash. Find out which before you make the lock file anew.",
            ),
        ),
        (
            r"No space left on device|ENOSPC",
            ("AssembleFailed", "the sandbox's disk is full", "Install less, or ask an operator for more space."),
        ),
    )
)


def explain(last_lines: Sequence[str]) -> Known:
    """The cause that these lines tell; the first one in the list above wins."""
    text = "\n".join(last_lines)
    return next((known for pattern, known in _CAUSES if pattern.search(text)), UNKNOWN)
