"""`FROM paas/python:3.13`: the platform's builders as bases, made where they were never used."""

from __future__ import annotations

from dataclasses import replace

from paas.builder import bases, messages
from paas.builder.catalog import Builder
from paas.builder.job import Fetched
from paas.errors import BuildFailed, NotFound
from paas.oci.digests import Digest

PREFIX = "paas/"
_RUN = "-run"


def find(fetched: Fetched, reference: str) -> tuple[str, Digest] | None:
    """Repository and digest of a builder's image (`paas/NAME[-run][:VERSION]`); None where it is another's."""
    name, _, version = reference.removeprefix(PREFIX).partition(":")
    is_run = name.endswith(_RUN)
    builder = fetched.tools.catalog.get(name.removesuffix(_RUN))
    if not reference.startswith(PREFIX) or builder is None:
        return None
    chosen = _version(builder, version)
    registry = fetched.tools.registry
    if not bases.is_made(registry, chosen):
        fetched.say(messages.making_builder(chosen))
        fetched.tools.make_builder(chosen, lambda line: fetched.tools.check())
    repository = chosen.run_repository if is_run else chosen.repository
    try:
        return repository, registry.digest_of(repository, chosen.version)
    except NotFound as error:
        raise _failed(
            f"the builder {chosen.label} has no image {reference}", f"It has: {chosen.repository}."
        ) from error


def _version(builder: Builder, version: str) -> Builder:
    if version in ("", "latest"):
        return builder
    try:
        return replace(builder, version=builder.named(version).name)
    except NotFound as error:
        raise _failed(error.message, error.hint) from error


def _failed(message: str, hint: str) -> BuildFailed:
    return BuildFailed(message, reason="PullImageFailed", stage="fetch", hint=hint)
