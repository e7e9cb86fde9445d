"""Every text of a buildpacks build that ends badly: what was found, and what to do next.

The reasons stand for the exit codes of the CNB lifecycle: 20 is NoBuildpackGroup, 21 BuildpackDetectFailed,
51 BuildpackBuildFailed, 12 UnknownBuildpackApi; what a buildpack wrote and nobody can use is InvalidBuildpackOutput.
"""

from __future__ import annotations

from collections.abc import Sequence

from paas.errors import BuildFailed

DOCS = "docs/users/buildpacks.md"
APIS = ("0.10", "0.11", "0.12")


def invalid_buildpack(file: str, what: str) -> BuildFailed:
    return BuildFailed(
        f"{file} {what}"[:500],
        reason="InvalidBuildpack",
        stage="detect",
        hint="Its form is that of buildpack.toml in the Cloud Native Buildpacks specification.",
    )


def unknown_api(file: str, api: str) -> BuildFailed:
    return BuildFailed(
        f"{file} asks for buildpack API {api[:20]!r}; known here are {', '.join(APIS)}",
        reason="UnknownBuildpackApi",
        stage="detect",
        hint="Take a newer version of the buildpack, or raise its `api` if it needs nothing older.",
    )


def invalid_project(file: str, what: str) -> BuildFailed:
    return BuildFailed(
        f"{file}: {what}"[:500], reason="InvalidProjectDescriptor", stage="detect", hint=f"Its keys are in {DOCS}."
    )


def remote(uri: str) -> BuildFailed:
    return BuildFailed(
        f"the buildpack {uri[:200]!r} is elsewhere, and buildpacks are not fetched",
        reason="BuildpackNotFound",
        stage="detect",
        hint="What works: a folder of the source (uri = './buildpacks/mine'), the id of one that the platform "
        "brings, or an inline script.",
    )


def not_found(name: str, known: Sequence[str]) -> BuildFailed:
    return BuildFailed(
        f"there is no buildpack {name[:200]!r}",
        reason="BuildpackNotFound",
        stage="detect",
        hint=f"There are: {', '.join(sorted(known)) or 'none'}. A folder of the source needs a buildpack.toml.",
    )


def in_circles(names: Sequence[str]) -> BuildFailed:
    return invalid_buildpack("the order", f"goes in circles: {' -> '.join(names)}")


def no_group(lines: Sequence[str], *, had_errors: bool) -> BuildFailed:
    return BuildFailed(
        "a buildpack failed while it looked at the source" if had_errors else "no group of buildpacks fits this source",
        reason="BuildpackDetectFailed" if had_errors else "NoBuildpackGroup",
        stage="detect",
        hint=f"The lines above say what each looked for. Which buildpacks are asked: {DOCS}",
        last_lines=list(lines),
    )


def build_failed(name: str, code: int, lines: Sequence[str]) -> BuildFailed:
    return BuildFailed(
        f"the buildpack {name} ended with exit code {code}",
        reason="BuildpackBuildFailed",
        stage="build",
        hint="Its last lines say why.",
        exit_code=code,
        last_lines=list(lines),
    )


def invalid_output(name: str, what: str, stage: str = "build") -> BuildFailed:
    return BuildFailed(
        f"the buildpack {name} wrote {what}"[:500],
        reason="InvalidBuildpackOutput",
        stage=stage,
        hint="This is a mistake in the buildpack, not in the app: tell its author.",
    )


def foreign_layer(name: str, path: str) -> BuildFailed:
    return invalid_output(name, f"{path[:200]!r}, which is not in its own layers")


def lost_layer(name: str, layer: str) -> BuildFailed:
    return BuildFailed(
        f"the buildpack {name} wants to keep its layer {layer[:100]!r}, which the last image does not have",
        reason="LayerNotFound",
        stage="export",
        hint="Build it anew: paasctl builds start --no-cache",
    )


def no_launcher(image: str) -> BuildFailed:
    return BuildFailed(
        f"the build image {image} has no launcher",
        reason="PullBuilderImageFailed",
        stage="export",
        hint="An operator makes it anew: bin/paas builders make buildpacks",
    )


def no_images() -> BuildFailed:
    return BuildFailed(
        "this platform has no images for buildpacks",
        reason="PullBuilderImageFailed",
        stage="pull",
        hint="Operators: PAAS_BUILDERS needs the folder buildpacks. Or choose another strategy: "
        "paasctl builds settings strategy=s2i",
    )


def no_process() -> BuildFailed:
    return BuildFailed(
        "no buildpack said what to run",
        reason="NoCommand",
        stage="export",
        hint="Add a Procfile with a line such as `web: ./server`: the procfile buildpack reads it.",
    )


def labels_too_large(size: int, most: int) -> BuildFailed:
    return BuildFailed(
        f"the buildpacks' labels and metadata have {size} bytes; at most {most} are kept",
        reason="LabelsTooLarge",
        stage="export",
        hint="Put what is that long into a file of a layer.",
    )


def secret(name: str, where: str) -> BuildFailed:
    return BuildFailed(
        f"{where} would hold the build secret {name}",
        reason="SecretInImage",
        stage="export",
        hint="Read it from /run/secrets where it is needed, and write it nowhere.",
    )
