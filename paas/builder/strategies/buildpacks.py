"""Cloud Native Buildpacks in one sandbox: detect, restore, build, export, by the contract of API 0.10 to 0.12.

There is no lifecycle binary. The phases are ours, and the sandbox has no credentials of any registry: what comes
out of it is cut into layers here, and a layer that is only declared again is never moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from paas.builder import bases, messages, processes, sandboxed, source
from paas.builder import export as labels
from paas.builder.bases import Bases
from paas.builder.cnb import app, export, layers, previous, project, running, store
from paas.builder.cnb import build as building
from paas.builder.cnb import detect as detection
from paas.builder.cnb import messages as cnb
from paas.builder.cnb.build import Built
from paas.builder.cnb.descriptors import Group, Ref
from paas.builder.cnb.export import Launch
from paas.builder.cnb.project import Project
from paas.builder.cnb.running import Session
from paas.builder.cnb.store import Store
from paas.builder.job import Fetched, Job, Made, Tools, open_source
from paas.builder.source import SourceFiles
from paas.builder.stages import Stages
from paas.core import names
from paas.errors import InvalidInput

BUILDER = "buildpacks"
_FILES = (project.FILE, project.LIST, project.ORDER)


def wanted(tools: Tools) -> dict[str, int]:
    """The files that it decides by."""
    return dict.fromkeys((*_FILES, processes.APP_JSON), source.MAX_TEXT)


def detect(files: SourceFiles) -> str:
    """A source that says something about buildpacks asks for them."""
    return next((name for name in (project.FILE, project.LIST) if name in files.names), "")


def build(fetched: Fetched, stages: Stages) -> Made:
    """The app's image, in the app's repository. Raises BuildFailed, LostLease, Unavailable."""
    with stages.measure("pull"):
        job = _prepare(fetched)
    try:
        asked = project.read(fetched.files.contents)
        opened, limits = open_source(job.spec, job.tools), job.tools.source_limits
        known = store.load(job.tools.buildpacks, opened, limits)
        groups = store.wanted(known, asked, fetched.files.contents)
    except InvalidInput as error:
        raise messages.unfit_tree("detect", error) from error
    if not groups:
        raise cnb.no_group((), had_errors=False)
    with _session(job, asked, known, groups) as session:
        with stages.measure("detect"):
            job.say(messages.step("Asking buildpacks"))
            plan = detection.select(session, groups, known)
            launcher = running.launcher(session)
            if launcher is None:
                raise cnb.no_launcher(f"{job.bases.build.repository}@{job.bases.build.digest}")
        with stages.measure("restore"):
            memory = previous.find(job)
            previous.restore(session, plan, memory)
        with stages.measure("build"):
            built = building.run(session, plan, known)
        with stages.measure("export"):
            started = export.launch(built)
            stack = layers.take(session, built, memory, export.extras(job, built, started, launcher))
            image = export.push(session, built, started, stack)
            cache = export.keep(job, built, stack)
    return _made(job, built, started, Made(image, BUILDER, {}, ledger=stack.notes), cache)


def _prepare(fetched: Fetched) -> Job:
    spec, tools = fetched.spec, fetched.tools
    builder = tools.catalog.get(BUILDER)
    if builder is None:
        raise cnb.no_images()
    if not bases.is_made(tools.registry, builder):
        fetched.say(messages.making_builder(builder))
        tools.make_builder(builder, lambda line: tools.check())
    found: Bases = bases.resolve(tools.registry, builder)
    return Job(spec, tools, fetched.say, builder, found, fetched.files, {})


@contextmanager
def _session(job: Job, asked: Project, known: Store, groups: Sequence[Group]) -> Iterator[Session]:
    """The sandbox with everything in it that detect needs."""
    refs = list(dict.fromkeys(replace(ref, optional=False) for group in groups for ref in group))
    with sandboxed.opened(job, job.bases.build.repository, job.bases.build.digest) as sandbox:
        session = Session(job, sandbox, _user_env(job, asked))
        _put_buildpacks(session, known, refs)
        _put_app(session, asked)
        count = max(map(len, groups))
        running.folders(session, sorted({ref.id.replace("/", "_") for ref in refs}), count)
        yield session


def _put_buildpacks(session: Session, known: Store, refs: Sequence[Ref]) -> None:
    job = session.job
    packs = [known.get(ref) for ref in refs]
    with store.tar(packs, open_source(job.spec, job.tools), job.tools.source_limits) as tar:
        session.sandbox.put(tar, "/")


def _put_app(session: Session, asked: Project) -> None:
    """The source without what it leaves out, owned by the user that builds."""
    job = session.job
    left_out, ignored = asked.is_left_out(), job.files.is_ignored
    stream, limits = open_source(job.spec, job.tools)(), job.tools.source_limits

    def is_left_out(path: str, /, *, is_folder: bool = False) -> bool:
        return ignored(path) or left_out(path, is_folder=is_folder)

    with app.tar(stream, limits, is_left_out) as tar:
        session.sandbox.put(tar, "/")


def _user_env(job: Job, asked: Project) -> dict[str, str]:
    """Of project.toml, and over it the owner's settings; `CNB_` belongs to the contract."""
    given = {**asked.env, **job.spec.settings.environment}
    refused = sorted(name for name in given if name.startswith("CNB_"))
    if refused:
        job.say(messages.detail(f"Not given to buildpacks, CNB_ is theirs: {', '.join(refused)}"))
    return {name: value for name, value in given.items() if name not in refused}


def _made(job: Job, built: Sequence[Built], started: Launch, made: Made, cache: str) -> Made:
    commands = _commands(job, started)
    release = commands.pop(processes.RELEASE, ())
    packs: Mapping[str, str] = {one.pack.id: one.pack.version for one in built}
    return replace(
        made,
        processes=commands,
        release_command=release,
        health=processes.health(job.files, commands),
        facts={
            "builder_image": job.bases.build.digest,
            "run_image": job.bases.run.digest,
            "buildpacks": packs,
            "labels": labels.commit_labels(job.spec),
            **({previous.CACHE_FACT: cache} if cache else {}),
        },
    )


def _commands(job: Job, started: Launch) -> dict[str, tuple[str, ...]]:
    """By process type. The default process is `web` where no process has that name."""
    found: dict[str, tuple[str, ...]] = {}
    for process in started.processes:
        try:
            found[names.check_name(process.type, "process type")] = (f"{export.PROCESS}/{process.type}",)
        except InvalidInput:
            job.say(messages.detail(f"The process {process.type!r} is in the image but cannot be scaled: {_NAMES}"))
    if set(found) <= {processes.RELEASE} or (started.default and "web" not in found):
        default = started.default or started.processes[0].type
        job.say(messages.detail(f"The default process {default} is web here"))
        found.pop(default, None)
        found["web"] = (f"{export.PROCESS}/{default}",)
    return found


_NAMES = "process types here are a-z, 0-9 and '-'"
