"""Garbage collection: what the registry and the engine hold for nobody goes, and everything says why it stays or goes.

Only what is the platform's own is looked at. An app with an open build is left alone: that build may be about to name
anything. Data is first set aside and comes back if somebody names it in the same moment.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from paas.actions import access
from paas.actions.access import Actor
from paas.actions.build_history import WINDOW
from paas.actions.platform import Platform
from paas.core import gc as core
from paas.core import releases as core_releases
from paas.core.builds import State
from paas.core.gc import Inventory, Item, Link, Manifest, Plan, Root, Verdict
from paas.core.permissions import Permission
from paas.db.models import App, Build, ImageTag, Project, Release
from paas.errors import Conflict, NotFound
from paas.oci.digests import parse_digest
from paas.oci.storage import Storage

log = logging.getLogger(__name__)
OURS = ("apps/", "projects/", "builders/")
OPEN = (State.queued, State.running)
SETTLE = 2.0
"""Seconds between setting data aside and removing it: far longer than a registry takes from looking to linking."""
LAST_BUILDS = 3
"""So many good builds of each app keep their dependency layers for the next one."""


@dataclass(frozen=True)
class Collected:
    """One thing and its verdict, in the words of people."""

    kind: str
    where: str
    digest: str
    verdict: str
    reason: str
    size: int


@dataclass(frozen=True)
class Collection:
    """What a collection did, or would do."""

    is_dry_run: bool
    freed: int
    """Bytes on the registry's disk."""
    removed: dict[str, int]
    """How many of each kind."""
    items: list[Collected]


@dataclass
class _Known:
    """What the database says is needed."""

    roots: list[Root] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Of repositories, for people."""
    layers: dict[str, dict[str, str]] = field(default_factory=dict)
    """By project: why a digest of a layer or an imported image is needed."""
    busy: dict[str, str] = field(default_factory=dict)
    """Heads of repositories in which a build may name anything now, and which."""
    on_engine: set[tuple[str, str]] = field(default_factory=set)
    """Images that may be started any moment."""


def collect(platform: Platform, actor: Actor, *, is_dry_run: bool) -> Collection:
    """Remove what nothing needs, or tell what would be. Platform admins only. Raises Unavailable."""
    access.authorise_platform(actor, Permission.platform_gc)
    return run(platform, is_dry_run=is_dry_run)


def collect_all(platform: Platform) -> None:
    """What the schedule asks for."""
    done = run(platform, is_dry_run=False)
    log.info("garbage collection freed %s bytes: %s", done.freed, done.removed)


def run(platform: Platform, *, is_dry_run: bool) -> Collection:
    storage = Storage(platform.settings.state / "registry")
    known = _known(platform)
    contents = storage.contents()
    manifests = tuple(Manifest(*revision) for revision in contents.revisions)
    inventory = Inventory(manifests, tuple(Link(*link) for link in contents.links), contents.blobs)
    roots = [*known.roots, *_roots_of(platform, storage, known, inventory)]
    plan = core.plan(inventory, roots, OURS, platform.settings.gc_grace)
    engine = _on_engine(platform, known, plan)
    freed = plan.freed if is_dry_run else _apply(platform, storage, plan, known, engine)
    items = [_told(known, item) for item in plan.items] + engine
    gone = [item.kind for item in items if item.verdict == Verdict.remove]
    return Collection(is_dry_run, freed, {kind: gone.count(kind) for kind in sorted(set(gone))}, items)


def _apply(platform: Platform, storage: Storage, plan: Plan, known: _Known, engine: list[Collected]) -> int:
    for item in plan.removed("image"):
        platform.registry.delete_manifest(item.repository, parse_digest(item.digest))
    for item in plan.removed("blob"):
        platform.registry.delete_blob(item.repository, parse_digest(item.digest))
    for repository in _abandoned(storage, plan, known):
        storage.remove_repository(repository)
    if storage.set_aside([item.digest for item in plan.removed("data")]):
        time.sleep(SETTLE)
    freed = storage.empty_trash(SETTLE)
    for told in engine:
        if told.verdict == Verdict.remove:
            try:
                platform.engine_images().remove(told.where)
            except (Conflict, NotFound):
                continue  # a container came to use it, or it is gone
    return freed


def _known(platform: Platform) -> _Known:
    known = _Known()
    with platform.db.read() as session:
        for project in session.scalars(select(Project)):
            for name in ("dependencies", "images"):
                known.names[f"projects/{project.id}/{name}"] = f"{project.name} ({name})"
            known.layers[project.id] = {}
        query = select(App).where(App.is_deleting.is_(False)).options(joinedload(App.project))
        for app in session.scalars(query):
            known.names[f"apps/{app.id}"] = f"{app.project.name}/{app.name}"
            _add_app(session, known, app)
    return known


def _add_app(session: Session, known: _Known, app: App) -> None:
    repository, name = f"apps/{app.id}", f"{app.project.name}/{app.name}"
    newest = select(Release).where(Release.app_id == app.id, Release.state != core_releases.State.failed)
    for place, release in enumerate(session.scalars(newest.order_by(Release.number.desc()))):
        is_current = release.state != core_releases.State.superseded
        if is_current or place < WINDOW:
            why = f"is {release.state}" if is_current else "is in the rollback window"
            known.roots.append(Root(repository, release.image, f"release v{release.number} of {name} {why}"))
        if is_current:
            known.on_engine.add((repository, release.image))
    for tag in session.scalars(select(ImageTag).where(ImageTag.app_id == app.id)):
        known.roots.append(Root(repository, tag.image, f"tag {tag.name} of {name}"))
    good = 0
    for build in session.scalars(select(Build).where(Build.app_id == app.id).order_by(Build.number.desc())):
        good += build.state == State.succeeded
        _add_build(known, app, build, keeps_layers=build.state == State.succeeded and good <= LAST_BUILDS)


def _add_build(known: _Known, app: App, build: Build, *, keeps_layers: bool) -> None:
    repository, name = f"apps/{app.id}", f"{app.project.name}/{app.name}"
    if build.state in OPEN:
        why = f"build {build.number} of {name} is {build.state}"
        known.busy |= {repository: why, f"projects/{app.project_id}/": why, "builders/": why}
    facts = build.facts or {}
    for digest in (build.source_digest, facts.get("context_source")):
        if digest:
            known.roots.append(Root(repository, str(digest), f"source of build {build.number} of {name}"))
    if keeps_layers:
        used = {str(note["digest"]) for note in build.ledger} | {v for v in facts.values() if isinstance(v, str)}
        why = f"used by build {build.number} of {name}"
        known.layers[app.project_id] |= {digest: why for digest in used if digest.startswith("sha256:")}


def _abandoned(storage: Storage, plan: Plan, known: _Known) -> Iterator[str]:
    """Repositories of apps and projects that are no more, and of which nothing stays."""
    kept = {item.repository for item in plan.items if item.verdict is Verdict.keep}
    for repository in storage.repositories():
        if repository.startswith(("apps/", "projects/")) and repository not in known.names.keys() | kept:
            yield repository


def _roots_of(platform: Platform, storage: Storage, known: _Known, inventory: Inventory) -> Iterator[Root]:
    """What is needed for other reasons than an app's rows."""
    for manifest in inventory.manifests:
        yield from _of_project(known, manifest, platform.settings.dependency_max_age)
    for repository in {manifest.repository for manifest in inventory.manifests}:
        if repository.startswith("builders/"):
            for tag, digest in storage.tags(repository).items():
                yield Root(repository, digest, f"{repository.removeprefix('builders/')}:{tag}, the current one")
    places = {(m.repository, m.digest) for m in inventory.manifests} | {
        (k.repository, k.digest) for k in inventory.links
    }
    for head, why in known.busy.items():
        for repository, digest in places:
            if repository == head or (head.endswith("/") and repository.startswith(head)):
                yield Root(repository, digest, why)


def _of_project(known: _Known, manifest: Manifest, max_age: float) -> Iterator[Root]:
    """Kept dependency layers and imported images."""
    head, _, rest = manifest.repository.partition("/")
    used = known.layers.get(rest.partition("/")[0])
    if head != "projects" or used is None:
        return
    for digest in (manifest.digest, *manifest.parts):
        if digest in used:
            yield Root(manifest.repository, manifest.digest, used[digest])
    if manifest.age < max_age:
        yield Root(manifest.repository, manifest.digest, "may serve the next build")


def _on_engine(platform: Platform, known: _Known, plan: Plan) -> list[Collected]:
    """Images that the engine pulled from our registry; each can be pulled again as long as that has it."""
    kept = {(item.repository, item.digest): item.reason for item in plan.items if item.verdict is Verdict.keep}
    found = []
    for reference, size, is_used in platform.engine_images().list_all():
        repository, _, digest = reference.partition("/")[2].partition("@")
        why = "a container stands on it" if is_used else kept.get((repository, digest), "")
        if repository.startswith("apps/") and not is_used and (repository, digest) not in known.on_engine:
            why = ""
        verdict = Verdict.keep if why else Verdict.remove
        found.append(Collected("engine", reference, digest, verdict, why or "pulled again when needed", size))
    return found


def _told(known: _Known, item: Item) -> Collected:
    where = known.names.get(item.repository, item.repository)
    return Collected(item.kind, where, item.digest, item.verdict, item.reason, item.size)
