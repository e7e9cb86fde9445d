"""Builds the stages that a target needs: what is kept is taken, the rest runs in sandboxes, one for each layer.

Segments are kept in the project's repository under their keys (threats P04: a sandbox sees the files its keys name
and nothing else), so an unchanged beginning of a Dockerfile costs one question to the registry, in any app of the
project. A stage of which all is kept does not even start the stages that it copies from.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from paas.builder import bases, messages
from paas.builder.dockerfile import layer, own_images
from paas.builder.dockerfile.context import Context
from paas.builder.dockerfile.plan import SCRATCH, Plan, Stage
from paas.builder.dockerfile.values import Base, Built
from paas.builder.dockerfile.walk import Act, Segment, Walk
from paas.builder.job import Fetched
from paas.errors import BuildFailed, NotFound
from paas.ports import Opening, Sandbox

STAGE = "build"
_DROPPED = ("Healthcheck", "Volumes", "Hostname", "Domainname", "Image")
Run = Callable[["Build", Stage, Built, list[Segment]], Built]


@dataclass
class Build:
    """One build of a Dockerfile."""

    fetched: Fetched
    plan: Plan
    context: Context
    architecture: str
    prints: Callable[[Build, Stage, Act], bytes]
    """The fingerprint of what an instruction takes from the context or from another stage."""
    run: Run
    """Runs the last of the segments on top of the ones before it."""
    walks: dict[int, Walk] = field(default_factory=dict)
    _bases: dict[str, Base] = field(default_factory=dict)
    _built: dict[int, Built] = field(default_factory=dict)
    _ends: float = 0.0

    def __post_init__(self) -> None:
        self._ends = time.monotonic() + self.fetched.tools.limits.seconds

    @property
    def repository(self) -> str:
        """Where the project's segments are kept."""
        return f"projects/{self.fetched.spec.project_id}/dependencies"

    def walk(self, stage: Stage) -> Walk:
        """A stage with its keys; walked once."""
        if stage.index not in self.walks:
            settings, key, triggers = self._beginning(stage)
            args = self.fetched.spec.settings.build_args
            made = Walk(self.plan, stage, args, lambda act: self.prints(self, stage, act), settings, key)
            self.walks[stage.index] = made
            made.run(triggers)
        return self.walks[stage.index]

    def base(self, reference: str) -> Base:
        """The image that FROM or --from names, in our registry. Raises BuildFailed, Unavailable."""
        if reference.lower() == SCRATCH and SCRATCH not in self._bases:
            self._bases[SCRATCH] = layer.empty_base(self.fetched.tools.registry, self.repository, self.architecture)
        if reference not in self._bases:
            own = own_images.find(self.fetched, reference)
            repository, digest = own or self.fetched.tools.import_image(reference)
            try:
                image = self.fetched.tools.registry.image(repository, digest)
            except NotFound as error:
                raise _no_image(reference) from error
            self._bases[reference] = Base(image, repository, digest)
        return self._bases[reference]

    def make(self, stage: Stage) -> Built:
        """The stage's files, from what is kept and what must run; made once."""
        if stage.index not in self._built:
            self._built[stage.index] = self._make(stage)
        return self._built[stage.index]

    def open(self, built: Built, opening: Opening) -> Sandbox:
        """A sandbox on a stage's files, for the time that the build has left."""
        tools, left = self.fetched.tools, int(self._ends - time.monotonic())
        if left < 1:
            raise messages.timed_out(STAGE, tools.limits, ())
        reference = f"{tools.registry_host}/{built.repository}@{built.digest}"
        limits = replace(tools.limits, seconds=left)
        return tools.sandboxes.open(reference, limits, build_id=self.fetched.spec.id, opening=opening)

    def _beginning(self, stage: Stage) -> tuple[dict[str, Any], str, tuple[str, ...]]:
        """Config and key that a stage starts with, and its base's ONBUILD triggers."""
        earlier = self.plan.stage(stage.base, stage.index)
        if earlier:
            walked = self.walk(earlier)
            return dict(walked.settings), walked.key, ()
        base = self.base(stage.base)
        settings = dict(base.image.config.get("config") or {})
        triggers = tuple(settings.pop("OnBuild", None) or ())
        for dropped in _DROPPED:
            settings.pop(dropped, None)
        own = [f"{name}={value}" for name, value in self.fetched.spec.settings.environment.items()]
        settings["Env"] = [*(settings.get("Env") or ()), *own]  # as if ENV stood behind FROM
        return settings, base.digest, triggers

    def _make(self, stage: Stage) -> Built:
        walked, registry = self.walk(stage), self.fetched.tools.registry
        built, done = self._start(stage), 0
        if not self.fetched.spec.no_cache:
            for count in range(len(walked.segments), 0, -1):
                found = layer.find(registry, self.repository, built, walked.segments[:count])
                if found:
                    built, done = found, count
                    break
        for segment in walked.segments[:done]:
            self.fetched.say(messages.detail(f"kept: {mark(stage)}{layer.title(segment)}"))
        for count in range(done + 1, len(walked.segments) + 1):
            self.fetched.tools.check()
            built = self.run(self, stage, built, walked.segments[:count])
        return built

    def _start(self, stage: Stage) -> Built:
        earlier = self.plan.stage(stage.base, stage.index)
        if earlier:
            return self.make(earlier)
        base = self.base(stage.base)
        bases.mount_layers(self.fetched.tools.registry, self.repository, base.image.layers, base.repository)
        return Built(base, base.image, base.repository, base.digest)


def mark(stage: Stage) -> str:
    """The stage's name before a line of its own."""
    return f"[{stage.name}] " if stage.name else ""


def _no_image(reference: str) -> BuildFailed:
    return BuildFailed(
        f"there is no image {reference}", reason="PullImageFailed", stage="fetch", hint="Check its name and tag."
    )
