"""Makes a stranger's line safe for a terminal: text and colours pass, what moves, names or hides does not."""

from __future__ import annotations

import re

MAX_BYTES = 8 * 1024
RESET = "\x1b[0m"
_COLOUR = re.compile(r"(\x1b\[[0-9;]{0,32}m)")
_ESCAPE = re.compile(r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-~]?|[@-Z\\-_]?)")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """One line: of what a carriage return would overwrite only the last is left."""
    line = next((part for part in reversed(re.split(r"[\r\n]", text)) if part), "")
    cut = line.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore")
    pieces = _COLOUR.split(cut)
    safe = "".join(piece if n % 2 else _CONTROL.sub("", _ESCAPE.sub("", piece)) for n, piece in enumerate(pieces))
    return safe + RESET if len(pieces) > 1 else safe
