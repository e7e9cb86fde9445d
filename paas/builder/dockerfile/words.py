"""Variables, quotes and words, as Dockerfiles have them. Pure.

`$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}` and `${NAME:?word}`; single quotes keep all, double quotes
keep blanks, the escape character keeps the next one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from paas.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+?])(.*))?\}", re.DOTALL)
_DEEP = 20


def expand(text: str, values: Mapping[str, str], escape: str = "\\", *, unquote: bool = True, depth: int = 0) -> str:
    """The text with its variables replaced and its quotes gone. Raises InvalidInput."""
    if depth > _DEEP:
        raise InvalidInput("variables are nested too deeply")
    out: list[str] = []
    at, quote = 0, ""
    while at < len(text):
        char = text[at]
        if unquote and char in "'\"" and quote in ("", char):
            quote = "" if quote else char
            at += 1
        elif char == escape and quote != "'" and at + 1 < len(text):
            keeps = quote == '"' and text[at + 1] not in f'"${escape}'
            out.append(text[at : at + 2] if keeps or (not unquote and text[at + 1] != "$") else text[at + 1])
            at += 2
        elif char == "$" and quote != "'":
            value, at = _variable(text, at, values, escape, depth)
            out.append(value)
        else:
            out.append(char)
            at += 1
    return "".join(out)


def split(text: str, escape: str = "\\") -> list[str]:
    """Words at blanks that are neither quoted nor escaped; quotes stay for `expand`."""
    words: list[str] = []
    word, quote, at = "", "", 0
    while at < len(text):
        char = text[at]
        if char == escape and quote != "'" and at + 1 < len(text):
            word += text[at : at + 2]
            at += 2
            continue
        if char in "'\"" and quote in ("", char):
            quote = "" if quote else char
        if char.isspace() and not quote:
            if word:
                words.append(word)
            word = ""
        else:
            word += char
        at += 1
    return [*words, word] if word else words


def pairs(text: str, values: Mapping[str, str], escape: str = "\\") -> list[tuple[str, str]]:
    """What ENV and LABEL set: `a=1 b="2 3"`, or in the old form `a 1`. Raises InvalidInput."""
    words = split(text, escape)
    if words and "=" not in words[0]:
        name, _, value = text.strip().partition(" ")
        return [(expand(name, values, escape), expand(value.strip(), values, escape))]
    found = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{word[:40]!r} is not NAME=VALUE")
        found.append((expand(name, values, escape), expand(value, values, escape)))
    return found


def _variable(text: str, at: int, values: Mapping[str, str], escape: str, depth: int) -> tuple[str, int]:
    """The value of the variable that begins here, and where it ends."""
    if text[at + 1 : at + 2] != "{":
        match = _NAME.match(text, at + 1)
        return (values.get(match[0], ""), match.end()) if match else ("$", at + 1)
    end = _closing(text, at + 1)
    found = _BRACED.fullmatch(text, at + 1, end)
    if not found:
        raise InvalidInput(f"{text[at:end][:60]!r} is not a variable")
    name, operator, word = found[1], found[2] or "", found[3] or ""
    value = values.get(name)
    is_set = value is not None and (bool(value) or not operator.startswith(":"))
    if operator.endswith("-") and not is_set:
        value = expand(word, values, escape, depth=depth + 1)
    elif operator.endswith("+"):
        value = expand(word, values, escape, depth=depth + 1) if is_set else ""
    elif operator.endswith("?") and not is_set:
        raise InvalidInput(f"{name} is not set: {expand(word, values, escape, depth=depth + 1)}")
    return value or "", end


def _closing(text: str, at: int) -> int:
    deep = 0
    for index in range(at, len(text)):
        deep += {"{": 1, "}": -1}.get(text[index], 0)
        if not deep:
            return index + 1
    raise InvalidInput(f"{text[at - 1 :][:60]!r} has no closing brace")
