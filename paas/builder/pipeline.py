"""The story of a build: fetch, choose a strategy, let it make the image, tell the ledger. The only door of this room.

Nothing here knows a database, an engine or a setting; what it needs is in `Tools`. A build may be killed at any
line and run again: everything it writes is named by its contents, and the manifest comes last.
"""

from __future__ import annotations

from paas.builder import choice, inputs, messages, source
from paas.builder.job import Fetched, Tools, open_source
from paas.builder.source import SourceFiles
from paas.builder.stages import Stages
from paas.core.builds import BuildResult, BuildSpec
from paas.errors import InvalidInput, NotFound
from paas.ports import Say

__all__ = ["Tools", "build"]


def build(spec: BuildSpec, tools: Tools, say: Say) -> BuildResult:
    """Turn a stored source into an image of the app's repository. Raises BuildFailed, LostLease, Unavailable."""
    stages = Stages()
    with stages.measure("fetch"):
        fetched = Fetched(spec, tools, say, _read_source(spec, tools))
    tools.check()
    way = choice.choose(spec, fetched.files)
    made = way.build(fetched, stages)
    say(messages.layers_headline())
    for note in made.ledger:
        say(messages.layer(note.name, note.state, note.digest, note.size, note.reason))
    return BuildResult(
        image=made.image,
        builder=made.builder,
        processes=made.processes,
        release_command=made.release_command,
        health=made.health,
        ledger=made.ledger,
        stages=stages.spent(),
        strategy=way.name,
        facts=made.facts,
    )


def _read_source(spec: BuildSpec, tools: Tools) -> SourceFiles:
    if spec.source_image:
        return SourceFiles()
    try:
        return source.read(open_source(spec, tools), choice.wanted(tools), tools.source_limits, inputs.references)
    except NotFound as error:
        raise messages.missing_source(spec.source_digest) from error
    except InvalidInput as error:
        raise messages.unfit_tree("fetch", error) from error
