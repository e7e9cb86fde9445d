"""What of the registry nobody needs, and why each thing stays or goes: a decision over what is there and wanted.

Needed is what a root names (a release of the rollback window, a tag, a kept build's source) and all that this is made
of. Whatever is younger than the grace time stays too: a build may be about to name it. A repository that is none of
the platform's is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    keep = "keep"
    remove = "remove"


@dataclass(frozen=True)
class Manifest:
    """An image, or a list of images, in one repository."""

    repository: str
    digest: str
    parts: frozenset[str]
    """Digests of its config and layers, or of the images it lists."""
    age: float
    """Seconds."""


@dataclass(frozen=True)
class Link:
    """That a blob belongs to a repository."""

    repository: str
    digest: str
    age: float


@dataclass(frozen=True)
class Inventory:
    """All that the registry holds."""

    manifests: tuple[Manifest, ...] = ()
    links: tuple[Link, ...] = ()
    blobs: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """Size in bytes and age in seconds of each blob's data, by digest; manifests are blobs too."""


@dataclass(frozen=True)
class Root:
    """Something that is needed, and what needs it."""

    repository: str
    digest: str
    reason: str


@dataclass(frozen=True)
class Item:
    """The verdict on one image, or on one blob that no image holds."""

    kind: str
    """image, blob, data"""
    repository: str
    digest: str
    verdict: Verdict
    reason: str
    size: int = 0
    """Bytes that its removal frees on the disk."""


@dataclass(frozen=True)
class Plan:
    """All verdicts, images first."""

    items: tuple[Item, ...]

    @property
    def freed(self) -> int:
        return sum(item.size for item in self.items if item.verdict is Verdict.remove)

    def removed(self, kind: str) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.kind == kind and item.verdict is Verdict.remove)


def plan(inventory: Inventory, roots: Iterable[Root], ours: Collection[str], grace: float) -> Plan:
    """`ours`: heads of the repositories that the platform makes (`apps/`); others are left alone and not told."""
    reasons = _reasons(roots)
    images = {(m.repository, m.digest): m for m in inventory.manifests}
    kept = _kept_images(images, reasons, ours, grace)
    needed = {(repository, part) for repository, digest in kept for part in images[repository, digest].parts}
    items = [
        Item("image", *place, Verdict.keep if place in kept else Verdict.remove, kept.get(place, "nothing names it"))
        for place in images
        if _is_ours(place[0], ours)
    ]
    alive = {digest for _, digest in kept}
    for link in inventory.links:
        place = (link.repository, link.digest)
        reason = reasons.get(place, "") or ("part of an image" if place in needed else "")
        if not reason and not _is_ours(link.repository, ours):
            reason = "not the platform's"
        if not reason and link.age < grace:
            reason = "younger than the grace time"
        if reason:
            alive.add(link.digest)
        if _is_ours(link.repository, ours) and reason != "part of an image":
            items.append(Item("blob", *place, Verdict.keep if reason else Verdict.remove, reason or "nothing names it"))
    items += [
        Item("data", "", digest, Verdict.remove, "no repository has it", size)
        for digest, (size, age) in inventory.blobs.items()
        if digest not in alive and age >= grace
    ]
    return Plan(tuple(sorted(items, key=lambda item: (item.kind != "image", item.kind, item.repository, item.digest))))


def _reasons(roots: Iterable[Root]) -> dict[tuple[str, str], str]:
    """The first reason of each thing that is named."""
    found: dict[tuple[str, str], str] = {}
    for root in roots:
        found.setdefault((root.repository, root.digest), root.reason)
    return found


def _kept_images(
    images: Mapping[tuple[str, str], Manifest],
    reasons: Mapping[tuple[str, str], str],
    ours: Collection[str],
    grace: float,
) -> dict[tuple[str, str], str]:
    """By place, why it stays; what a list of images names stays with it."""
    kept: dict[tuple[str, str], str] = {}
    for place, manifest in images.items():
        if place in reasons:
            kept[place] = reasons[place]
        elif not _is_ours(manifest.repository, ours):
            kept[place] = "not the platform's"
        elif manifest.age < grace:
            kept[place] = "younger than the grace time"
    waiting = list(kept)
    while waiting:
        repository, digest = waiting.pop()
        for part in images[repository, digest].parts:
            if (repository, part) in images and (repository, part) not in kept:
                kept[repository, part] = "part of a list of images"
                waiting.append((repository, part))
    return kept


def _is_ours(repository: str, ours: Collection[str]) -> bool:
    return any(repository.startswith(head) for head in ours)
