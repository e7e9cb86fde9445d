"""Source-to-Image without `commit`: what the builder's scripts change becomes layers, each kept as long as it holds.

Dependencies come from a step of their own that sees the dependency files and nothing else; that is what allows
its layer to stand in for the next one under the same key. The source then needs no sandbox where the builder says
that it is only copied. Where either does not hold, `assemble` gets the whole source, as in any S2I.
"""

from __future__ import annotations

from paas.builder import (
    bases,
    dependency_step,
    environment,
    export,
    ignore,
    messages,
    processes,
    scripts,
    source,
    source_step,
    versions,
)
from paas.builder import detect as detection
from paas.builder.catalog import Builder
from paas.builder.job import Fetched, Job, Made, Tools
from paas.builder.scripts import OWN_SCRIPTS
from paas.builder.source import SourceFiles
from paas.builder.stages import Stages
from paas.builder.stock import build as stock
from paas.builder.stock import scripts as stock_scripts
from paas.ports import Say


def wanted(tools: Tools) -> dict[str, int]:
    """The files that decide anything, with how much of each is read."""
    names = [processes.PROCFILE, processes.APP_JSON, environment.FILE, *ignore.FILES]
    names += [f"{OWN_SCRIPTS}/{script}" for script in stock_scripts.NAMES]
    found = dict.fromkeys(names, source.MAX_TEXT)
    for builder in tools.catalog.values():
        keyed = [path for path, _ in builder.assemble_if_key]
        plain = [name for name in (*builder.detect_any, *builder.detect_unless, *builder.assemble_if) if "/" in name]
        versioned = [path for path, _ in builder.version_files]
        found |= dict.fromkeys((*keyed, *plain, *versioned, *builder.dependency_files), source.MAX_TEXT)
    for builder in tools.catalog.values():
        found |= dict.fromkeys(builder.lock_files, source.MAX_LOCK)
    return found


def detect(files: SourceFiles) -> str:
    """A source that brings S2I scripts asks for S2I."""
    return next((f"{OWN_SCRIPTS}/{name}" for name in ("assemble", "run") if f"{OWN_SCRIPTS}/{name}" in files.names), "")


def build(fetched: Fetched, stages: Stages) -> Made:
    """The app's image, in the app's repository. Raises BuildFailed, LostLease, Unavailable."""
    if stock.is_wanted(fetched):
        return stock.build(fetched, stages, None if "/" in fetched.spec.builder else _own(fetched))
    with stages.measure("detect"):
        job = _prepare(fetched)
        run_script = _run_script(job)
        found = processes.read(job.files, run_script)
    job.tools.check()
    with stages.measure("dependencies"):
        installed = dependency_step.install(job)
    job.tools.check()
    with stages.measure("assemble"):
        made = source_step.add(job, installed)
    job.tools.check()
    with stages.measure("export"):
        image = export.push(job, (*installed.layers, *made.layers), run_script)
    return Made(
        image=image,
        builder=job.builder.label,
        processes=found.commands,
        release_command=found.release,
        health=found.health,
        ledger=(*installed.notes, *made.notes),
        facts={
            "builder_image": job.bases.build.digest,
            "run_image": job.bases.run.digest,
            "labels": export.commit_labels(job.spec),
            **installed.facts,
            **made.facts,
        },
    )


def _prepare(fetched: Fetched) -> Job:
    spec, tools, say, files = fetched.spec, fetched.tools, fetched.say, fetched.files
    builder = _builder(fetched)
    variables, refused = environment.parse(files.contents.get(environment.FILE, b""))
    if refused:
        say(messages.ignored_environment(refused))
    variables |= spec.settings.environment
    return Job(spec, tools, say, builder, bases.resolve(tools.registry, builder), files, variables)


def _own(fetched: Fetched) -> tuple[Builder, bases.Base]:
    """The platform's builder for a build that asks for more than its own steps: all runs on its build image."""
    builder = _builder(fetched)
    return builder, bases.resolve(fetched.tools.registry, builder).build


def _builder(fetched: Fetched) -> Builder:
    """The builder in the version that the source asks for; its images are made where it was never used."""
    tools, say, files = fetched.tools, fetched.say, fetched.files
    name, _, version = fetched.spec.builder.partition(":")
    found = detection.detect(files.names, tools.catalog, name)
    chosen = versions.choose(found.builder, files.contents, version)
    say(messages.detected(found.builder, found.file))
    if len(found.builder.versions) > 1:
        say(messages.version(chosen.builder, chosen.file, chosen.wanted))
    if not bases.is_made(tools.registry, chosen.builder):
        say(messages.making_builder(chosen.builder))
        tools.make_builder(chosen.builder, _progress(fetched))
    return chosen.builder


def _progress(fetched: Fetched) -> Say:
    """The steps of making an image; what its package manager says stays out."""

    def tell(line: str) -> None:
        fetched.tools.check()
        if ": Step " in line or line.endswith((" made", " pushed")):
            fetched.say(messages.detail(line[:120]))

    return tell


def _run_script(job: Job) -> str:
    """What starts the app where nothing else says: the source's own script, or the builder's."""
    if job.builder.copy and f"{OWN_SCRIPTS}/run" in job.files.names:
        return f"{job.builder.copy}/{OWN_SCRIPTS}/run"
    return scripts.read(job.builder, job.bases.run.image).path("run")
