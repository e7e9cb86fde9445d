"""Source-to-Image without `commit`: what the builder's scripts change becomes layers, each kept as long as it holds.

Dependencies come from a step of their own that sees the dependency files and nothing else; that is what allows
its layer to stand in for the next one under the same key. The source then needs no sandbox where the builder says
that it is only copied. Where either does not hold, `assemble` gets the whole source, as in any S2I.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paas.builder import dependency_step, source_step
from paas.builder.job import Job
from paas.builder.stages import Stages
from paas.core.builds import LayerNote
from paas.oci.layers import Layer


@dataclass(frozen=True)
class Built:
    """The layers above the base, from below, and their ledger."""

    layers: tuple[Layer, ...]
    notes: tuple[LayerNote, ...]
    facts: Mapping[str, object]


def build(job: Job, stages: Stages) -> Built:
    """The app's layers, all in the app's repository. Raises BuildFailed, Unavailable."""
    with stages.measure("dependencies"):
        installed = dependency_step.install(job)
    job.tools.check()
    with stages.measure("assemble"):
        made = source_step.add(job, installed)
    layers, notes = (*installed.layers, *made.layers), (*installed.notes, *made.notes)
    return Built(layers, notes, {**installed.facts, **made.facts})
