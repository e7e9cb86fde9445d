"""What a push may do to refs, decided from the hook's lines alone.

One deploy branch is built; other branches, tags and notes are stored. Everything else, and every
name that git-check-ref-format refuses, is refused with a reason before anything is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from paas.errors import InvalidInput

MAX_NAME = 255
MAX_UPDATES = 10_000
MOST_NOTES = 5
ZERO = "0" * 40
HEX = re.compile(r"[0-9a-f]{40}")
STORED = ("refs/heads/", "refs/tags/", "refs/notes/")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)")


@dataclass(frozen=True)
class Update:
    """One line of the hook's input: a ref goes from one commit to another; ZERO: it is not there."""

    old: str
    new: str
    ref: str

    @property
    def is_delete(self) -> bool:
        return self.new == ZERO


@dataclass(frozen=True)
class Plan:
    """What to build, if anything, and what to tell about the rest."""

    build: Update | None
    notes: tuple[str, ...]


def parse(lines: bytes) -> tuple[Update, ...]:
    """The updates that git hands to the hook. Raises InvalidInput."""
    updates = []
    for line in lines.split(b"\n")[:-1]:
        parts = line.split(b" ", 2)
        try:
            old, new, ref = (part.decode("utf-8") for part in parts)
        except (UnicodeDecodeError, ValueError):
            raise _refused("a ref's name", "is not UTF-8") from None
        if not HEX.fullmatch(old) or not HEX.fullmatch(new):
            raise _refused(ref, "does not point at a SHA-1 commit")
        updates.append(Update(old, new, check_name(ref)))
    if len(updates) > MAX_UPDATES:
        raise _refused(f"a push of {len(updates)} refs", f"is over the limit of {MAX_UPDATES}")
    return tuple(updates)


def check_name(ref: str) -> str:
    """The name itself, if git-check-ref-format and this platform allow it. Raises InvalidInput."""
    if len(ref.encode()) > MAX_NAME:
        raise _refused(ref[:60] + "…", f"is longer than {MAX_NAME} bytes")
    if not ref.startswith(STORED):
        raise _refused(ref, "is not taken here: push branches and tags")
    short = ref.split("/", 2)[2]
    if not short or short.startswith(("-", ".", "/")) or short.endswith(("/", ".")) or _FORBIDDEN.search(short):
        raise _refused(ref, "is not a valid ref name")
    return ref


def _refused(name: str, why: str) -> InvalidInput:
    return InvalidInput(f"{name!r} {why}", field="ref", hint="Nothing of this push was stored.")


def plan(updates: tuple[Update, ...], deploy_branch: str) -> Plan:
    """What to build and what to say. Raises InvalidInput where the deploy branch would be deleted."""
    deployed = f"refs/heads/{deploy_branch}"
    build = next((update for update in updates if update.ref == deployed), None)
    if build and build.is_delete:
        raise InvalidInput(
            f"{deploy_branch} is the branch that this app deploys, so it cannot be deleted",
            field="ref",
            hint="The app keeps serving. Choose another deploy branch first, or delete the app.",
        )
    others = [_note(update, deploy_branch) for update in updates if update is not build]
    notes = [note for note in others if note]
    if len(notes) > MOST_NOTES:
        notes[MOST_NOTES:] = [f"       … and {len(notes) - MOST_NOTES} more refs, stored and not built."]
    return Plan(build, tuple(notes))


def _note(update: Update, deploy_branch: str) -> str:
    kind, short = update.ref.split("/", 2)[1:]
    word = {"heads": "Branch", "tags": "Tag", "notes": "Note"}[kind]
    if update.is_delete:
        return f"       {word} {short} is deleted; the app keeps serving."
    if kind == "heads":
        return f"       Branch {short} is stored, not built: this app deploys {deploy_branch}."
    return f"       {word} {short} is stored, not built."
