"""The story of a build: fetch, detect, dependencies, source, image, push. The only door of this room.

Nothing here knows a database, an engine or a setting; what it needs is in `Tools`. A build may be killed at any
line and run again: everything it writes is named by its contents, and the manifest comes last.
"""

from __future__ import annotations

from collections.abc import Mapping

from paas.builder import bases, detect, environment, export, ignore, inputs, messages, processes, scripts, source
from paas.builder.catalog import Builder
from paas.builder.job import Job, Tools, open_source
from paas.builder.scripts import OWN_SCRIPTS
from paas.builder.source import SourceFiles
from paas.builder.stages import Stages
from paas.builder.strategies import s2i
from paas.core.builds import BuildResult, BuildSpec
from paas.errors import InvalidInput, NotFound
from paas.ports import Say

__all__ = ["Tools", "build"]


def build(spec: BuildSpec, tools: Tools, say: Say) -> BuildResult:
    """Turn a stored source into an image of the app's repository. Raises BuildFailed, LostLease, Unavailable."""
    stages = Stages()
    with stages.measure("fetch"):
        files = _read_source(spec, tools)
    tools.check()

    with stages.measure("detect"):
        found = detect.detect(files.names, tools.catalog, spec.builder)
        say(messages.detected(found.builder, found.file))
        job = _prepare(spec, tools, say, found.builder, files)
        run_script = _run_script(job)
        wanted = processes.read(files, run_script)
    tools.check()

    built = s2i.build(job, stages)
    tools.check()

    with stages.measure("export"):
        image = export.push(job, built, run_script)
    say(messages.layers_headline())
    for note in built.notes:
        say(messages.layer(note.name, note.state, note.digest, note.size, note.reason))

    return BuildResult(
        image=image,
        builder=found.builder.name,
        processes=wanted.commands,
        release_command=wanted.release,
        health=wanted.health,
        ledger=built.notes,
        stages=stages.spent(),
        facts={
            "builder_image": job.bases.build.digest,
            "run_image": job.bases.run.digest,
            "labels": export.commit_labels(spec),
            **built.facts,
        },
    )


def _read_source(spec: BuildSpec, tools: Tools) -> SourceFiles:
    wanted = _wanted(tools.catalog)
    try:
        return source.read(open_source(spec, tools), wanted, tools.source_limits, inputs.references)
    except NotFound as error:
        raise messages.missing_source(spec.source_digest) from error
    except InvalidInput as error:
        raise messages.unfit_tree("fetch", error) from error


def _wanted(catalog: Mapping[str, Builder]) -> dict[str, int]:
    """The files that decide anything, with how much of each is read."""
    names = [processes.PROCFILE, processes.APP_JSON, environment.FILE, ignore.FILE]
    names += [f"{OWN_SCRIPTS}/{script}" for script in ("assemble", "run")]
    wanted = dict.fromkeys(names, source.MAX_TEXT)
    for builder in catalog.values():
        keyed = [path for path, _ in builder.assemble_if_key]
        plain = [name for name in (*builder.detect_any, *builder.detect_unless, *builder.assemble_if) if "/" in name]
        wanted |= dict.fromkeys((*keyed, *plain, *builder.dependency_files), source.MAX_TEXT)
    for builder in catalog.values():
        wanted |= dict.fromkeys(builder.lock_files, source.MAX_LOCK)
    return wanted


def _prepare(spec: BuildSpec, tools: Tools, say: Say, builder: Builder, files: SourceFiles) -> Job:
    variables, refused = environment.parse(files.contents.get(environment.FILE, b""))
    if refused:
        say(messages.ignored_environment(refused))
    return Job(spec, tools, say, builder, bases.resolve(tools.registry, builder), files, variables)


def _run_script(job: Job) -> str:
    """What starts the app where nothing else says: the source's own script, or the builder's."""
    if job.builder.copy and f"{OWN_SCRIPTS}/run" in job.files.names:
        return f"{job.builder.copy}/{OWN_SCRIPTS}/run"
    return scripts.read(job.builder, job.bases.run.image).path("run")
