"""Which version of a builder a source wants, and which of those that are there is the right one.

A builder's version says less than a release does: `3.13` stands for every 3.13.x. So what a source asks for is a set
of intervals, and a version fits where its own interval meets it. Ranges are read as npm, pip, Poetry, Bundler
and Composer write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from paas.builder import messages, wishes
from paas.builder.catalog import Builder
from paas.builder.wishes import Wish

Point = tuple[int, int, int]
Interval = tuple[Point, Point]
"""From the first to before the second."""

_END: Point = (10**6, 0, 0)
_EVERYTHING: Interval = ((0, 0, 0), _END)
_PARTS = re.compile(r"(===|==|~=|!=|<=|>=|~>|=|<|>|\^|~)?v?([0-9]+(?:\.(?:[0-9]+|[xX*]))*)[-+.a-zA-Z0-9]*")
_HYPHEN = re.compile(r"([0-9][^ ]*) +- +([0-9][^ ]*)")


@dataclass(frozen=True)
class Chosen:
    """The builder with its version, and the file that spoke for it (empty: it is the default)."""

    builder: Builder
    file: str
    wanted: str = ""


def choose(builder: Builder, contents: Mapping[str, bytes], version: str = "") -> Chosen:
    """The version for a source; `version` is the owner's choice. Raises BuildFailed naming file, wish and versions."""
    there = [known.name for known in builder.all_versions()]
    if version:
        if version not in there:
            raise messages.unknown_version(builder, version, "", there)
        return Chosen(replace(builder, version=version), "")
    wish = wishes.read(builder.version_files, contents)
    if wish is None or wish.is_anything:
        return Chosen(builder, "")
    best = pick(wish, there)
    if best is None:
        raise messages.unknown_version(builder, wish.text, wish.file, there)
    return Chosen(replace(builder, version=best), wish.file, wish.text)


def pick(wish: Wish, there: Sequence[str]) -> str | None:
    """The best of the versions (the default first): the default where it fits, else the newest that does."""
    intervals = parse(wish.text, is_least=wish.is_least, tilde_is_wide=wish.tilde_is_wide)
    fits = [version for version in there if any(_meet(_span(version), part) for part in intervals)]
    if not fits:
        return None
    if there[0] in fits:
        return there[0]
    order = min if wish.is_least else max
    return order(fits, key=_span)


def parse(text: str, *, is_least: bool = False, tilde_is_wide: bool = False) -> list[Interval]:
    """The intervals that a range allows; none where it is not understood."""
    found = []
    for alternative in re.split(r"\|\|?", text):
        spread = _HYPHEN.sub(r">=\1 <=\2", alternative)
        allowed = _all_of(re.sub(r"(?<=[<>=~^!]) +", "", spread), is_least=is_least, tilde_is_wide=tilde_is_wide)
        if allowed and allowed[0] < allowed[1]:
            found.append(allowed)
    return found


def _all_of(text: str, *, is_least: bool, tilde_is_wide: bool) -> Interval | None:
    """What all comparisons together allow."""
    low, high = _EVERYTHING
    rest = text.strip(" ,")
    if rest in ("*", "x", ""):
        return _EVERYTHING
    for part in re.split(r"[ ,]+", rest):
        if part == "*":
            continue
        found = _PARTS.fullmatch(part)
        if not found:
            return None
        first, last = _one(found[1] or (">=" if is_least else ""), found[2], tilde_is_wide=tilde_is_wide)
        low, high = max(low, first), min(high, last)
    return low, high


def _one(sign: str, number: str, *, tilde_is_wide: bool) -> Interval:
    start, end = _span(number)
    pessimistic = start, _next(number, -1)
    meanings = {
        ">=": (start, _END),
        ">": (start, _END),  # 3.12.1 is more than 3.12, and a builder's 3.12 may be that
        "<=": (_EVERYTHING[0], end),
        "<": (_EVERYTHING[0], start),
        "^": (start, (start[0] + 1, 0, 0)),
        "~=": pessimistic,
        "~>": pessimistic,
        "~": pessimistic if tilde_is_wide else (start, _next(number, 2)),
        "!=": _EVERYTHING,
    }
    return meanings.get(sign, (start, end))


def _next(number: str, keep: int) -> Point:
    """The end of what a pessimistic sign allows: all but the last part is kept, or so many parts at most."""
    parts = list(_digits(number))
    kept = parts[:keep] if keep > 0 or len(parts) > 1 else parts
    return _span(".".join(map(str, kept)))[1]


def _span(version: str) -> Interval:
    """All releases that a version stands for: `3.13` is 3.13.0 up to 3.14."""
    parts = list(_digits(version))[:3]
    low = (*parts, 0, 0, 0)[:3]
    high = [*parts[:-1], parts[-1] + 1, 0, 0, 0][:3] if parts else [*_END]
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def _digits(version: str) -> Iterator[int]:
    for part in version.split("."):
        if not part.isdigit():
            return
        yield int(part[:6])


def _meet(one: Interval, other: Interval) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])
