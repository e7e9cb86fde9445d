"""A source that brings its own Dockerfile.

No builder daemon takes part: instructions run in the platform's sandboxes, as root inside with few capabilities and
all limits, and each layer is kept under a key of all that it depends on. See paas/builder/dockerfile.
"""

from __future__ import annotations

import platform
import re

from paas.builder import messages, processes, source
from paas.builder.dockerfile import acts, context, copying, dockerignore, image
from paas.builder.dockerfile.build import Build
from paas.builder.dockerfile.parse import Parsed, parse
from paas.builder.dockerfile.plan import plan
from paas.builder.dockerfile.walk import PREDEFINED, Walk
from paas.builder.job import Fetched, Made, Tools, open_source
from paas.builder.processes import Processes
from paas.builder.source import SourceFiles
from paas.builder.stages import Stages
from paas.core.processes import DEFAULT_PORT
from paas.errors import BuildFailed, InvalidInput

FILE = "Dockerfile"
_FILES = (FILE, "Containerfile")
_ROOT = re.compile(r"(?:0+|root)?(?::.*)?")


def wanted(tools: Tools) -> dict[str, int]:
    """The files that it decides by."""
    return dict.fromkeys((*_FILES, processes.PROCFILE, processes.APP_JSON), source.MAX_TEXT)


def detect(files: SourceFiles) -> str:
    """The Dockerfile at the top of the source."""
    return next((name for name in _FILES if name in files.contents), "")


def build(fetched: Fetched, stages: Stages) -> Made:
    """The app's image, in the app's repository. Raises BuildFailed, LostLease, Unavailable."""
    if not fetched.tools.dockerfile_builds:
        raise _switched_off()
    settings = fetched.spec.settings
    with stages.measure("detect"):
        path = settings.dockerfile.strip("/") or detect(fetched.files) or FILE
        fetched.say(messages.step(f"Building {path}"))
        parsed, seen = _read(fetched, path)
        planned = plan(parsed, settings.build_args, settings.target, _architecture())
        running = Build(fetched, planned, seen, _architecture(), copying.prints, acts.run)
        walked = running.walk(planned.target)
    fetched.tools.check()
    _tell(fetched, running, walked, parsed)
    found = _processes(fetched.files, walked)
    with stages.measure("build"):
        built = running.make(planned.target)
    with stages.measure("export"):
        digest = image.push(running, walked, built, fetched.repository)
    return Made(
        image=digest,
        builder=path,
        processes=found.commands,
        release_command=found.release,
        health=found.health,
        ledger=built.notes,
        facts={"base_image": f"{built.base.repository}@{built.base.digest}", "inputs": _inputs(running, path)},
    )


def _read(fetched: Fetched, path: str) -> tuple[Parsed, context.Context]:
    """The Dockerfile, and the source without what `.dockerignore` leaves out."""
    opened, limits = open_source(fetched.spec, fetched.tools), fetched.tools.source_limits
    ignores = (f"{path}.dockerignore", dockerignore.FILE)
    names = dict.fromkeys((path, *ignores), source.MAX_TEXT)
    try:
        files = source.read(opened, names, limits, lambda contents: ())
        if path not in files.contents:
            raise _no_dockerfile(path)
        ignore = next((files.contents[name] for name in ignores if name in files.contents), b"")
        return parse(files.contents[path]), context.read(opened, limits, dockerignore.parse(ignore))
    except InvalidInput as error:
        raise messages.unfit_tree("detect", error) from error


def _processes(files: SourceFiles, walked: Walk) -> Processes:
    """The Procfile's processes; without one, the image's own command is `web`."""
    settings = walked.settings
    command = (*(settings.get("Entrypoint") or ()), *(settings.get("Cmd") or ()))
    if processes.PROCFILE in files.contents:
        return processes.read(files, "")
    if not command:
        raise BuildFailed(
            "the image does not say what to run: its Dockerfile has neither CMD nor ENTRYPOINT",
            reason="NoCommand",
            stage="detect",
            hint="Add a CMD, or a Procfile with a line such as `web: ./server`.",
        )
    found = processes.read(files, "")
    health = {name: check for name, check in found.health.items() if name == "web"}
    return Processes({"web": command}, (), health)


def _tell(fetched: Fetched, running: Build, walked: Walk, parsed: Parsed) -> None:
    """What a Dockerfile says that counts for nothing, or for something else, here."""
    say = fetched.say
    if parsed.syntax and not parsed.syntax.startswith("docker/dockerfile"):
        say(
            messages.detail(f"syntax={parsed.syntax[:80]}: frontends are not fetched, the file is read as a Dockerfile")
        )
    ignored = {name for walk in running.walks.values() for name in walk.ignored}
    for name in sorted(ignored - {"MAINTAINER"}):
        say(messages.detail(_IGNORED[name]))
    declared = {name for walk in running.walks.values() for name in walk.used} | running.plan.arguments.keys()
    unused = sorted(fetched.spec.settings.build_args.keys() - declared - PREDEFINED)
    if unused:
        say(messages.detail(f"Build arguments that no ARG declares: {', '.join(unused)}"))
    ports = {port.partition("/")[0] for port in walked.settings.get("ExposedPorts") or ()}
    if ports and str(DEFAULT_PORT) not in ports:
        say(messages.detail(f"EXPOSE {' '.join(sorted(ports))}: requests come to $PORT, which is {DEFAULT_PORT}"))
    if _ROOT.fullmatch(str(walked.settings.get("User") or "")):
        say(messages.detail("The image's user is root: its instances run as user 1001, group 0, without capabilities"))


_IGNORED = {
    "HEALTHCHECK": "HEALTHCHECK is not used: say it in app.json, the platform asks over HTTP",
    "VOLUME": "VOLUME is not used: what an instance writes goes with the instance",
    "ONBUILD": "ONBUILD is not kept: nothing is built on an app's image",
}


def _inputs(running: Build, path: str) -> dict[str, str]:
    """What the layers depend on: the Dockerfile, and each file that is copied before a command runs."""
    return {path: running.context.digests.get(path, "")}


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _no_dockerfile(path: str) -> BuildFailed:
    return BuildFailed(
        f"there is no {path} in the source",
        reason="DockerfileNotFound",
        stage="detect",
        hint="Add it, or name another one: paasctl builds settings dockerfile=PATH",
    )


def _switched_off() -> BuildFailed:
    return BuildFailed(
        "this platform does not build Dockerfiles",
        reason="DockerfileBuildsOff",
        stage="detect",
        hint="Choose another strategy: paasctl builds settings strategy=s2i. Operators: PAAS_DOCKERFILE_BUILDS.",
    )
