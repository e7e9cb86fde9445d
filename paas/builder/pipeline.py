"""The story of a build: fetch, choose a strategy, let it make the image, tell the ledger. The only door of this room.

Nothing here knows a database, an engine or a setting; what it needs is in `Tools`. A build may be killed at any
line and run again: everything it writes is named by its contents, and the manifest comes last.
"""

from __future__ import annotations

from dataclasses import replace

from paas.builder import choice, context, inputs, ledger, messages, source, testing
from paas.builder.job import Fetched, Tools, app_repository, open_source
from paas.builder.secrets import GuardedSandboxes, Redactor
from paas.builder.source import SourceFiles
from paas.builder.stages import Stages
from paas.core.builds import BuildResult, BuildSpec
from paas.errors import BuildFailed, InvalidInput, NotFound
from paas.ports import Say

__all__ = ["Tools", "build"]


def build(spec: BuildSpec, tools: Tools, say: Say) -> BuildResult:
    """Turn a stored source into an image of the app's repository. Raises BuildFailed, LostLease, Unavailable."""
    redactor = Redactor(spec.secrets.values())

    def tell(line: str) -> None:
        say(redactor.text(line))

    guarded = GuardedSandboxes(tools.sandboxes, spec.secrets, tools.check, redactor)
    try:
        return _build(spec, replace(tools, sandboxes=guarded), tell)
    except BuildFailed as error:
        raise redactor.error(error) from None


def _build(spec: BuildSpec, tools: Tools, say: Say) -> BuildResult:
    stages = Stages()
    whole = spec.source_digest
    with stages.measure("fetch"):
        spec = _of_context(spec, tools)
        fetched = Fetched(spec, tools, say, _read_source(spec, tools))
    tools.check()
    chosen = choice.choose(spec, fetched.files, tools)
    way = chosen.way
    if chosen.told:
        say(chosen.told)
    made = way.build(fetched, stages)
    if spec.settings.test_command:
        with stages.measure(testing.STAGE):
            testing.run(fetched, made.image, made.processes.values())
    notes = ledger.explain(fetched, made)
    say(messages.layers_headline())
    width = max((len(note.name) for note in notes), default=0)
    for note in notes:
        say(messages.layer(note.name.ljust(width), note.state, note.digest, note.size, note.reason))
    if warning := ledger.growth(notes, spec.previous):
        say(warning)
    return BuildResult(
        image=made.image,
        builder=made.builder,
        processes=made.processes,
        release_command=made.release_command,
        health=made.health,
        ledger=notes,
        stages=stages.spent(),
        strategy=way.name,
        facts=made.facts if spec.source_digest == whole else {**made.facts, "context_source": spec.source_digest},
    )


def _of_context(spec: BuildSpec, tools: Tools) -> BuildSpec:
    """The build of the folder that is the app; all that follows sees that folder as the whole source."""
    folder = spec.settings.context_dir.strip("/")
    if spec.source_image or folder in ("", "."):
        return spec
    repository = app_repository(spec)
    try:
        digest = context.cut(open_source(spec, tools), folder, tools.source_limits, tools.registry, repository)
    except NotFound as error:
        raise messages.missing_source(spec.source_digest) from error
    except InvalidInput as error:
        raise messages.unfit_tree("fetch", error) from error
    return replace(spec, source_digest=digest)


def _read_source(spec: BuildSpec, tools: Tools) -> SourceFiles:
    if spec.source_image:
        return SourceFiles()
    try:
        return source.read(open_source(spec, tools), choice.wanted(tools), tools.source_limits, inputs.references)
    except NotFound as error:
        raise messages.missing_source(spec.source_digest) from error
    except InvalidInput as error:
        raise messages.unfit_tree("fetch", error) from error
