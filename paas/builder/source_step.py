"""The layers above the dependencies: the source copied as it is, or what `assemble` makes of it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from paas.builder import messages, sandboxed, scripts, sourcetar, split
from paas.builder.catalog import Builder
from paas.builder.dependency_step import Installed, Seen
from paas.builder.job import Job, open_source
from paas.builder.layering import Layers, Sent
from paas.builder.scripts import OWN_SCRIPTS, Scripts
from paas.builder.source import SourceFiles
from paas.core.builds import LayerNote
from paas.errors import InvalidInput
from paas.oci.layers import Layer
from paas.ports import Changes, Sandbox

STAGE = "assemble"


@dataclass(frozen=True)
class Added:
    """Layers from below, and their ledger."""

    layers: tuple[Layer, ...]
    notes: tuple[LayerNote, ...]
    facts: Mapping[str, object] = field(default_factory=dict)


def add(job: Job, installed: Installed) -> Added:
    """Put the source on top of the dependencies. Raises BuildFailed, Unavailable."""
    reason = installed.widened or reason_to_assemble(job.builder, job.files)
    seen = Seen()
    try:
        sent = _assemble(job, installed, reason, seen) if reason else _copy(job)
    except InvalidInput as error:
        raise messages.unfit_tree(STAGE, error) from error
    order = ("dependencies", "source")
    made = [(part, sent[part]) for part in order if part in sent]
    notes = tuple(_note(part, layer, reason) for part, layer in made)
    facts = {"packages": sorted(seen.packages)} if seen.packages and installed.widened else {}
    return Added(tuple(layer.layer for _, layer in made), notes, facts)


def reason_to_assemble(builder: Builder, files: SourceFiles) -> str:
    """Why copying the source would not be enough; empty if it is."""
    if not builder.copy:
        return f"the {builder.name} builder turns every source into something"
    for path in (f"{OWN_SCRIPTS}/assemble", *builder.assemble_if):
        if path in files.names:
            return f"the source has {path}"
    for path, key in builder.assemble_if_key:
        if path in files.links or (path in files.contents and _has_key(path, files.contents[path], key)):
            return f"{path} has {key}"
    return ""


def _has_key(path: str, content: bytes, key: str) -> bool:
    """Is the dotted key set? In a file that cannot be read it may be."""
    try:
        value = tomllib.loads(content.decode()) if path.endswith(".toml") else json.loads(content)
    except (ValueError, RecursionError):
        return True
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value is not None


def _copy(job: Job) -> Mapping[split.Part, Sent]:
    tools = job.tools
    with Layers(tools.registry, job.repository, job.source_time) as layers:
        stream = open_source(job.spec, tools)()
        writer = layers.open("source")
        sourcetar.write_below(stream, tools.source_limits, job.builder.copy, job.files.is_ignored, writer)
        return layers.finish()


def _assemble(job: Job, installed: Installed, reason: str, seen: Seen) -> Mapping[split.Part, Sent]:
    found = scripts.read(job.builder, job.bases.build.image)
    job.say(messages.assembling("" if installed.widened else reason))
    is_own = f"{OWN_SCRIPTS}/assemble" in job.files.names
    script = f"{found.destination}/scripts/assemble" if is_own else found.path("assemble")
    with sandboxed.opened(job, installed.repository, installed.image) as sandbox:
        _put_source(job, sandbox, found)
        sandboxed.run(job, sandbox, script, found.user, STAGE)
        changed = sandboxed.changes(job, sandbox, found.destination, STAGE)
        with Layers(job.tools.registry, job.repository, job.source_time) as layers:
            stream = Changes(seen.pass_on(changed.entries), changed.deleted)
            split.split(stream, split.dependency_rule(job.builder.dependency_paths), layers.open)
            return layers.finish()


def _put_source(job: Job, sandbox: Sandbox, found: Scripts) -> None:
    stream = open_source(job.spec, job.tools)()
    limits = job.tools.source_limits
    with sourcetar.for_sandbox(stream, limits, job.files.is_ignored, (OWN_SCRIPTS,)) as tar:
        sandbox.put(tar, found.destination)


def _note(part: split.Part, sent: Sent, reason: str) -> LayerNote:
    state = "new" if sent.is_new else "reused"
    why = messages.layer_reason(part, is_new=sent.is_new, is_assembled=bool(reason))
    return LayerNote(part, sent.layer.digest, sent.layer.size, state, why, sent.pushed)
