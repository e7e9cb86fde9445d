"""Every text of a build that its owner reads: what happened, what was looked for, what to do next.

One file, so that all of them speak alike. Lines follow Heroku's form: an arrow for a step, seven spaces for
its detail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from paas.builder.catalog import Builder
from paas.builder.failures import explain
from paas.core.builds import Limits
from paas.errors import BuildFailed, PaasError, Unavailable

_INDENT = " " * 7


def step(text: str) -> str:
    """The headline of a step."""
    return f"-----> {text}"


def detail(text: str) -> str:
    """A line below a headline."""
    return f"{_INDENT}{text}".rstrip()


def size(count: int) -> str:
    """Bytes for people: `61.2 MB`."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count} B"


def detected(builder: Builder, file: str) -> str:
    return step(f"{builder.display_name} app detected ({file or 'chosen for this app'})")


def importing(reference: str) -> str:
    return step(f"Importing the image {reference}")


def chosen(strategy: str, file: str) -> str:
    return detail(f"The source has {file}: strategy {strategy}. Another: paasctl builds settings strategy=NAME")


def installing(files: Sequence[str]) -> str:
    return step(f"Installing dependencies ({', '.join(files)})")


def assembling(reason: str) -> str:
    return step(f"Running assemble ({reason})" if reason else "Running assemble")


def widened(reason: str) -> str:
    return detail(f"Dependencies are installed together with the source: {reason}")


def unpinned(file: str, created: datetime, max_age: int) -> str:
    return detail(
        f"Using dependencies resolved on {created.date().isoformat()}; {file} does not pin every version, "
        f"they are resolved anew after {_age(max_age)}. A lock file ends this."
    )


def resolved_anew(file: str, created: datetime) -> str:
    return detail(f"Resolving anew what {file} does not pin; last time was {created.date().isoformat()}")


def needs_source(file: str) -> str:
    return f"{file} refers to other files of the source"


def same(file: str) -> str:
    return f"same {file}"


def first_time(file: str) -> str:
    return f"first build with this {file}"


def chosen_anew(*, is_new: bool) -> str:
    return "versions chosen anew" if is_new else "versions chosen anew: the same ones"


def layer_reason(part: str, *, is_new: bool, is_assembled: bool) -> str:
    """Why a layer above the kept dependencies is what it is."""
    if not is_new:
        return "same files as before"
    if part == "dependencies":
        return "installed by assemble"
    return "made by assemble" if is_assembled else "the source as it is"


def layers_headline() -> str:
    return step("Layers")


def layer(name: str, state: str, digest: str, count: int, reason: str) -> str:
    return detail(f"{name}  {state:<7} {digest[:15]}…  {size(count):>8}  ({reason})")


def pushed(digest: str) -> str:
    return step(f"Image {digest[:19]}… is in the registry")


def ignored_environment(lines: Sequence[str]) -> str:
    return detail(f".s2i/environment: not NAME=VALUE and left out: {', '.join(lines[:10])}")


def unknown_strategy(name: str, known: Sequence[str]) -> BuildFailed:
    return BuildFailed(
        f"there is no strategy {name!r}",
        reason="UnknownStrategy",
        stage="detect",
        hint=f"There are: {', '.join(known)}.",
    )


def no_import(reference: str) -> BuildFailed:
    return BuildFailed(
        f"the image {reference} cannot be imported: this platform imports none",
        reason="PullImageFailed",
        stage="fetch",
        hint="Choose a builder of the platform.",
    )


def unknown_builder(name: str, catalog: Mapping[str, Builder]) -> BuildFailed:
    return BuildFailed(
        f"there is no builder {name!r}",
        reason="UnknownBuilder",
        stage="detect",
        hint=f"There are: {', '.join(sorted(catalog))}. Choose one: paasctl apps update --builder NAME",
    )


def unknown_version(builder: Builder, wanted: str, file: str, there: Sequence[str]) -> BuildFailed:
    origin = f"{file} asks for" if file else "the app's settings ask for"
    return BuildFailed(
        f"{origin} {builder.display_name} {wanted[:60]!r}, which is not there",
        reason="UnknownVersion",
        stage="detect",
        hint=f"There are: {', '.join(there)}. Choose one in {file or 'paasctl apps update --builder NAME:VERSION'}.",
    )


def version(builder: Builder, file: str, wanted: str) -> str:
    """Which version is used, and why."""
    why = f"{file}: {wanted}" if file else "the default"
    return detail(f"Using {builder.display_name} {builder.version} ({why})")


def making_builder(builder: Builder) -> str:
    return step(f"Making builder {builder.label}: it was never used here before, this takes a minute")


def no_builder(catalog: Mapping[str, Builder]) -> BuildFailed:
    looked = "; ".join(f"{name}: {_looked_for(builder)}" for name, builder in sorted(catalog.items()))
    return BuildFailed(
        f"no builder fits this source. Looked at its top folder for {looked}",
        reason="NoBuilderDetected",
        stage="detect",
        hint="Add one of these files, or choose a builder: "
        "paasctl apps update --builder NAME (for a new app: paasctl apps create --builder NAME)",
    )


def ambiguous_builder(found: Sequence[tuple[Builder, str]]) -> BuildFailed:
    matches = " and ".join(f"{builder.name} ({file}; looked for {_looked_for(builder)})" for builder, file in found)
    return BuildFailed(
        f"more than one builder fits this source: {matches}",
        reason="AmbiguousBuilder",
        stage="detect",
        hint=f"Choose one: paasctl apps update --builder {found[0][0].name} "
        "(for a new app: paasctl apps create --builder NAME)",
    )


def invalid_file(reason: str, error: PaasError) -> BuildFailed:
    """A file of the source that is not what it should be."""
    return BuildFailed(error.message, reason=reason, stage="detect", hint=error.hint, **error.facts)


def link_to_nothing(file: str, target: str) -> BuildFailed:
    return BuildFailed(
        f"{file} is a link to {target!r}, which is no file of the source",
        reason="InvalidSource",
        stage="detect",
        hint=f"Make {file} a plain file.",
    )


def file_too_large(file: str, count: int, limit: int) -> BuildFailed:
    return BuildFailed(
        f"{file} has {size(count)}; at most {size(limit)} are read",
        reason="FileTooLarge",
        stage="detect",
        hint="Make it shorter.",
    )


def missing_source(digest: str) -> BuildFailed:
    return BuildFailed(
        f"the source {digest[:19]}… is not in the registry any more",
        reason="FetchSourceFailed",
        stage="fetch",
        hint="Push it again.",
    )


def missing_builder_image(builder: Builder) -> BuildFailed:
    return BuildFailed(
        f"the image of the builder {builder.label} is not in the registry",
        reason="PullBuilderImageFailed",
        stage="fetch",
        hint="An operator makes it with: bin/paas builders make",
    )


def lying_builder_image(builder: Builder, what: str) -> BuildFailed:
    return BuildFailed(
        f"the image of the {builder.name} builder cannot be used: {what}",
        reason="PullBuilderImageFailed",
        stage="assemble",
        hint="Correct its labels; see builders/README.md.",
    )


def missing_layer(repository: str, digest: str) -> Unavailable:
    return Unavailable(
        f"the registry has lost layer {digest[:19]}… of {repository}",
        hint="An operator makes the builders' images anew with: bin/paas builders make",
    )


def script_failed(script: str, code: int, stage: str, last_lines: Sequence[str]) -> BuildFailed:
    """A script of the builder ended badly; its last lines say why."""
    known = explain(last_lines)
    return BuildFailed(
        known.message or f"{script} ended with exit code {code}",
        reason=known.reason,
        stage=stage,
        hint=known.hint,
        exit_code=code,
        last_lines=list(last_lines),
    )


def timed_out(stage: str, limits: Limits, last_lines: Sequence[str]) -> BuildFailed:
    return BuildFailed(
        f"the build was stopped after {_age(limits.seconds)}",
        reason="Timeout",
        stage=stage,
        hint="The last lines say where it stood. Fewer or prebuilt dependencies help, or a higher PAAS_BUILD_TIMEOUT.",
        last_lines=list(last_lines),
    )


def out_of_memory(stage: str, limits: Limits, last_lines: Sequence[str]) -> BuildFailed:
    return BuildFailed(
        f"the build needed more than its {size(limits.memory)} of memory and was stopped",
        reason="OutOfMemoryKilled",
        stage=stage,
        hint="Use prebuilt packages, build with fewer processes, or ask for a higher PAAS_BUILD_MEMORY.",
        last_lines=list(last_lines),
    )


def unfit_tree(stage: str, error: PaasError) -> BuildFailed:
    """A tree that cannot become a layer."""
    return BuildFailed(error.message, reason="InvalidSource", stage=stage, hint=error.hint, **error.facts)


def _looked_for(builder: Builder) -> str:
    wanted = ", ".join(builder.detect_any)
    return f"{wanted} (and none of {', '.join(builder.detect_unless)})" if builder.detect_unless else wanted


def _age(seconds: int) -> str:
    for unit, one in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= one and seconds % one == 0:
            count = seconds // one
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} seconds"
