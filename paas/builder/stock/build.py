"""One build by the whole S2I contract: images, ONBUILD, artifacts of before, assemble, runtime image, result.

Nothing is committed: what the scripts changed comes out as a stream and is cut into layers by ecosystem. So even a
builder that installs everything anew each time moves only what became different.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from paas.builder import environment, messages, processes, sandboxed, sourcetar
from paas.builder.bases import Base, Bases
from paas.builder.catalog import Builder
from paas.builder.job import Fetched, Job, Made, open_source
from paas.builder.stages import Stages
from paas.builder.stock import contract as contracts
from paas.builder.stock import incremental, injections, metadata, onbuild, result, runtime, scripts, users
from paas.builder.stock.contract import Contract
from paas.builder.stock.scripts import Scripts
from paas.core.builds import LayerNote
from paas.errors import BuildFailed, InvalidInput, NotFound
from paas.oci.digests import parse_digest
from paas.ports import Sandbox

_WANTED = frozenset({"scripts_url", "runtime_image", "incremental", "injections"})


@dataclass(frozen=True)
class Stock:
    """A build, when its images were found."""

    job: Job
    contract: Contract
    user: str
    builder: Base
    """As it came, before ONBUILD."""
    notes: tuple[LayerNote, ...] = ()
    """Of ONBUILD's layers."""
    runtime: Base | None = None


def is_wanted(fetched: Fetched) -> bool:
    """Does the build need the whole contract, by its builder or by its settings?"""
    settings = fetched.spec.settings
    return "/" in fetched.spec.builder or any(getattr(settings, name) for name in _WANTED)


def build(fetched: Fetched, stages: Stages, own: tuple[Builder, Base] | None = None) -> Made:
    """The app's image. `own`: the platform's builder, where the app has one. Raises BuildFailed, Unavailable."""
    with stages.measure("pull"):
        stock = _prepare(fetched, own)
    job = stock.job
    job.tools.check()
    opening = injections.opening(job, job.bases.build, stock.contract, stock.user)
    with (
        _artifacts(stock, stages) as saved,
        sandboxed.opened(job, job.bases.build.repository, job.bases.build.digest, opening) as sandbox,
    ):
        with stages.measure("assemble"):
            found = _assemble(stock, sandbox, saved)
            labels = metadata.read(sandbox)
        if stock.runtime:
            with stages.measure("assemble-runtime"), _extended(stock, stock.runtime, sandbox) as (other, scripts_there):
                target = result.Target(stock.runtime, contracts.read(stock.runtime.image), scripts_there)
                made = result.take(job, other, target, opening)
        else:
            with stages.measure("split"):
                target = result.Target(job.bases.run, stock.contract, found)
                made = result.take(job, sandbox, target, opening, drops_source=stock.builder is not job.bases.build)
    with stages.measure("export"):
        return _finish(stock, target, made, labels)


def _prepare(fetched: Fetched, own: tuple[Builder, Base] | None) -> Stock:
    spec, tools, settings = fetched.spec, fetched.tools, fetched.spec.settings
    scripts.check_url(settings.scripts_url)
    if settings.incremental and settings.runtime_image:
        raise BuildFailed(
            "an incremental build cannot have a runtime image",
            reason="GenericS2IBuildFailed",
            stage="pull",
            hint="Unset one: paasctl builds settings incremental=false",
        )
    if own:
        named, base = own
        reference = f"{tools.registry_host}/{base.repository}@{base.digest}"
    else:
        reference = spec.builder
        base = _brought(fetched, reference, "PullBuilderImageFailed")
        named = Builder(name=reference, display_name=reference, version=base.digest[7:19], detect_any=())
        fetched.say(messages.step(f"Building with {reference}"))
    contract = contracts.read(base.image)
    started = onbuild.run(fetched, reference, base, contract)
    contract = replace(contracts.read(started.base.image), on_build=())
    user = users.of_assemble(contract)
    runs_on = _brought(fetched, settings.runtime_image, "PullRuntimeImageFailed") if settings.runtime_image else None
    if runs_on:
        users.of_runtime(contracts.read(runs_on.image))
        runtime.artifacts(settings.runtime_artifacts, contracts.read(runs_on.image))
    job = Job(
        spec, tools, fetched.say, named, Bases(started.base, runs_on or started.base), fetched.files, _env(fetched)
    )
    return Stock(job, contract, user, base, started.notes, runs_on)


def _brought(fetched: Fetched, reference: str, reason: str) -> Base:
    """An image from elsewhere. Raises BuildFailed, Unavailable."""
    try:
        repository, digest = fetched.tools.import_image(reference)
        return Base(repository, digest, fetched.tools.registry.image(repository, digest))
    except (NotFound, InvalidInput) as error:
        raise BuildFailed(error.message, reason=reason, stage="pull", hint=error.hint) from error
    except BuildFailed as error:
        if error.reason != "PullImageFailed":
            raise
        raise BuildFailed(error.message, reason=reason, stage="pull", hint=error.hint) from error


def _env(fetched: Fetched) -> Mapping[str, str]:
    """The source's variables, and over them those that the owner set."""
    found, refused = environment.parse(fetched.files.contents.get(environment.FILE, b""))
    if refused:
        fetched.say(messages.ignored_environment(refused))
    return {**found, **fetched.spec.settings.environment}


@contextmanager
def _artifacts(stock: Stock, stages: Stages) -> Iterator[Iterator[bytes] | None]:
    if not stock.job.spec.settings.incremental or stock.builder is not stock.job.bases.build:
        yield None  # as in S2I, an ONBUILD image is always built clean
        return
    with ExitStack() as stack:
        with stages.measure("save-artifacts"):
            saved = stack.enter_context(incremental.saved(stock.job, stock.contract, stock.user))
        yield saved


def _assemble(stock: Stock, sandbox: Sandbox, saved: Iterator[bytes] | None) -> Scripts:
    job, contract = stock.job, stock.contract
    stream, limits = open_source(job.spec, job.tools)(), job.tools.source_limits
    with sourcetar.for_sandbox(stream, limits, job.files.is_ignored, (), scripts.owner(stock.user)) as tar:
        sandbox.put(tar, contract.destination)
    found = scripts.put(job, sandbox, contract, stock.user)
    if saved:
        sandbox.put(saved, contract.destination)
    if not stock.runtime:
        found.path(scripts.RUN)
    job.say(messages.assembling(""))
    sandboxed.run(job, sandbox, found.path(scripts.ASSEMBLE), stock.user, "assemble")
    return found


@contextmanager
def _extended(stock: Stock, base: Base, sandbox: Sandbox) -> Iterator[tuple[Sandbox, Scripts]]:
    """The runtime image's sandbox after `assemble-runtime`."""
    job, contract = stock.job, contracts.read(base.image)
    user = users.of_runtime(contract)
    wanted = runtime.artifacts(job.spec.settings.runtime_artifacts, contract)
    with sandboxed.opened(job, base.repository, parse_digest(base.digest)) as other:
        with runtime.carried(job, sandbox, wanted, scripts.owner(user)) as tar:
            other.put(tar, contract.destination)
        found = scripts.put(job, other, contract, user, (scripts.RUNTIME, scripts.RUN))
        found.path(scripts.RUN)
        job.say(messages.step("Running assemble-runtime"))
        sandboxed.run(job, other, found.path(scripts.RUNTIME), user, "assemble-runtime")
        yield other, found


def _finish(stock: Stock, target: result.Target, made: result.Layered, labels: Mapping[str, str]) -> Made:
    job = stock.job
    run_script = target.scripts.path(scripts.RUN)
    found = processes.read(job.files, run_script)
    written = result.labels(job, stock.builder, labels)
    image = result.push(job, target, made.layers, run_script, written)
    prefix = target.contract.entrypoint
    return Made(
        image=image,
        builder=job.builder.label,
        processes={name: (*prefix, *command) for name, command in found.commands.items()},
        release_command=(*prefix, *found.release) if found.release else (),
        health=found.health,
        ledger=(*stock.notes, *made.notes) if not stock.runtime else made.notes,
        facts=result.facts(job, stock.builder, target, written),
    )
