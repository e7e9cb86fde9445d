"""Where a build's dependencies come from: an earlier build's layer, a step of their own, or `assemble` itself.

A layer is only kept when the sandbox that made it was given nothing but the key's inputs (threats P04).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from paas.builder import dependencies, kept, messages, reasons, reuse, sandboxed, scripts, sourcetar, split
from paas.builder.dependencies import Declared, Inputs, Widened
from paas.builder.job import Job
from paas.builder.kept import Kept
from paas.builder.layering import Layers, Sent
from paas.builder.reuse import SCRIPT, STAGE, Offer, Told
from paas.builder.scripts import OWN_SCRIPTS
from paas.builder.split import Part
from paas.core.builds import LayerNote
from paas.oci.archive import Entry, Reader
from paas.oci.layers import Layer
from paas.ports import Changes

MARKER = ".dependencies-installed"
"""The script leaves it when it could do its work without the source."""
_DIST_INFO = re.compile(r"(?:.*/)?site-packages/([^/]+?)-([^/-]+)\.dist-info/METADATA")


@dataclass(frozen=True)
class Installed:
    """The dependency layers of this build, and the image that `assemble` starts from."""

    repository: str
    image: str
    layers: tuple[Layer, ...] = ()
    notes: tuple[LayerNote, ...] = ()
    widened: str = ""
    """Why `assemble` must install them; empty: they are installed, or there are none."""
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """One run of the script: what it told, and the layers that stand in or were sent."""

    told: Told
    offered: Offer
    sent: Mapping[Part, Sent]
    has_marker: bool
    packages: tuple[str, ...]

    @property
    def parts(self) -> dict[Part, Layer]:
        """From below."""
        made = {**self.offered.layers, **{part: sent.layer for part, sent in self.sent.items()}}
        return {part: made[part] for part in self.told.cut.order if part in made}

    @property
    def is_new(self) -> bool:
        return any(sent.is_new for sent in self.sent.values())

    def notes(self, reason: str) -> tuple[LayerNote, ...]:
        """The ledger's, from below."""
        return tuple(self._note(part, layer, reason) for part, layer in self.parts.items())

    def _note(self, part: Part, layer: Layer, reason: str) -> LayerNote:
        sent = self.sent.get(part)
        if sent is None:
            return LayerNote(part, layer.digest, layer.size, "reused", reasons.same_package())
        state = "new" if sent.is_new else "reused"
        return LayerNote(part, layer.digest, layer.size, state, reason, sent.pushed)


def install(job: Job) -> Installed:
    """The dependencies, as far as they can be had without the source. Raises BuildFailed, Unavailable."""
    plan = _plan(job)
    if isinstance(plan, Widened):
        return _left_to_assemble(job, plan.reason)
    if not isinstance(plan, Declared):
        return Installed(job.bases.build.repository, job.bases.build.digest)
    key = dependencies.key(_inputs(job, plan))
    earlier = None if job.spec.no_cache else kept.find(job, key)
    if earlier and _may_stand_in(job, plan, earlier):
        return _installed(job, plan, key, earlier, _reused(earlier, messages.same(plan.main)))
    made = _run(job, plan, key, is_refresh=earlier is not None)
    return made or _left_to_assemble(job, messages.needs_source(plan.main))


def _plan(job: Job) -> dependencies.Plan:
    names = job.builder.dependency_files
    links = {path: target for path, target in job.files.links.items() if path in names}
    own_assemble = f"{OWN_SCRIPTS}/assemble" in job.files.names
    return dependencies.plan(job.builder, dependencies.select(job.builder, job.files.contents), links, own_assemble)


def _inputs(job: Job, plan: Declared) -> Inputs:
    environment = {**job.tools.index_settings, **job.environment}
    bases = job.bases
    return Inputs(bases.build.digest, bases.run.digest, bases.platform, plan.files, environment)


def _left_to_assemble(job: Job, reason: str) -> Installed:
    job.say(messages.widened(reason))
    return Installed(job.bases.build.repository, job.bases.build.digest, widened=reason)


def _may_stand_in(job: Job, plan: Declared, earlier: Kept) -> bool:
    """Whether what an earlier build installed from the same inputs is still good; told where versions may differ."""
    if plan.is_pinned:
        return True
    max_age = job.tools.dependency_max_age
    is_fresh = dependencies.is_fresh(earlier.created, job.tools.now, max_age)
    told = messages.unpinned(plan.main, earlier.created, max_age) if is_fresh else ""
    job.say(told or messages.resolved_anew(plan.main, earlier.created))
    return is_fresh


def _run(job: Job, plan: Declared, key: str, *, is_refresh: bool) -> Installed | None:
    """Install in a sandbox that is given the dependency files only; nothing if the script asks for the source."""
    job.say(messages.installing(list(plan.files)))
    last = _last(job)
    made = _attempt(job, plan, last) or _attempt(job, plan, None)
    if made is None or not made.has_marker:
        return None
    kept_now = kept.keep(job, key, made.parts, made.packages, made.told.lines)
    reason = messages.chosen_anew(is_new=made.is_new) if is_refresh else messages.first_time(plan.main)
    return _installed(job, plan, key, kept_now, made.notes(reason))


def _last(job: Job) -> Kept | None:
    """What the app's last good build installed, where it can be of use."""
    previous = job.spec.previous
    key = str(previous.facts.get("dependency_key", "")) if previous else ""
    if not key or job.spec.no_cache or not job.builder.packages:
        return None
    return kept.find(job, key)


def _attempt(job: Job, plan: Declared, last: Kept | None) -> Attempt | None:
    """Install on top of the last build's packages; nothing where the outcome would not be that of a clean build."""
    image = job.bases.build
    found = scripts.read(job.builder, image.image)
    scope = dependencies.scope(_inputs(job, plan))
    with sandboxed.opened(job, image.repository, image.digest) as sandbox:
        sandbox.put([sourcetar.of_files(plan.files)], found.destination)
        offered = reuse.offer(job, sandbox, found, scope, last)
        sandboxed.run(job, sandbox, found.path(SCRIPT), found.user, STAGE)
        told = reuse.told(sandbox, found, scope) if job.builder.packages else Told()
        if not offered.is_sound(told):
            return None
        changed = sandboxed.changes(job, sandbox, found.destination, STAGE)
        entries = reuse.merged(job, changed.entries, last, offered)
        seen = Seen()
        with Layers(job.tools.registry, job.dependency_repository) as layers:
            split.cut(Changes(seen.pass_on(entries), changed.deleted), told.cut.part_of, layers.open)
            sent = layers.finish() if seen.has_marker else {}
        if not offered.layers.keys().isdisjoint(sent):
            return None
    return Attempt(told, offered, sent, seen.has_marker, tuple(sorted(seen.packages)))


def _installed(job: Job, plan: Declared, key: str, made: Kept, notes: tuple[LayerNote, ...]) -> Installed:
    facts = {
        "dependencies_resolved": made.created.isoformat(),
        "dependency_key": key,
        "packages": list(made.packages),
        "inputs": {path: hashlib.sha256(content).hexdigest() for path, content in plan.files.items()},
    }
    return Installed(job.dependency_repository, made.image, made.layers, notes, facts=facts)


def _reused(made: Kept, reason: str) -> tuple[LayerNote, ...]:
    return tuple(LayerNote(part, layer.digest, layer.size, "reused", reason) for part, layer in made.parts.items())


class Seen:
    """What the paths of a stream of changes tell while it goes by."""

    def __init__(self) -> None:
        self.has_marker = False
        self.packages: set[str] = set()

    def pass_on(self, entries: Iterator[tuple[Entry, Reader]]) -> Iterator[tuple[Entry, Reader]]:
        """The same entries."""
        for entry, body in entries:
            self.has_marker = self.has_marker or entry.path.rpartition("/")[2] == MARKER
            if found := _DIST_INFO.fullmatch(entry.path):
                self.packages.add(f"{found[1]}=={found[2]}")
            yield entry, body
