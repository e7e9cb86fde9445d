"""An image from elsewhere, deployed as it is: nothing is built, its layers become the app's by reference."""

from __future__ import annotations

from collections.abc import Mapping

from paas.builder import bases, messages
from paas.builder.job import Fetched, Made, Tools
from paas.builder.source import SourceFiles
from paas.builder.stages import Stages
from paas.core.builds import LayerNote
from paas.errors import BuildFailed, InvalidInput, NotFound
from paas.oci.images import Image


def wanted(tools: Tools) -> Mapping[str, int]:
    """It has no source."""
    return {}


def detect(files: SourceFiles) -> str:
    """No source asks for it: a person does."""
    return ""


def build(fetched: Fetched, stages: Stages) -> Made:
    """The image in the app's repository. Raises BuildFailed, LostLease, Unavailable."""
    tools, reference = fetched.tools, fetched.spec.source_image
    if not reference:
        raise _no_image()
    with stages.measure("import"):
        repository, digest = tools.import_image(reference)
        try:
            image = tools.registry.image(repository, digest)
        except (NotFound, InvalidInput) as error:
            raise BuildFailed(error.message, reason="PullImageFailed", stage="fetch", hint=error.hint) from error
    tools.check()
    command = _command(image)
    with stages.measure("export"):
        known = {layer.digest for layer in image.layers if tools.registry.has_blob(fetched.repository, layer.digest)}
        bases.mount_layers(tools.registry, fetched.repository, image.layers, repository)
        made = tools.registry.push_image(fetched.repository, image)
    fetched.say(messages.detail(f"{reference} is {digest[:19]}…"))
    ledger = tuple(
        LayerNote(f"layer {number}", layer.digest, layer.size, "reused" if layer.digest in known else "new", reference)
        for number, layer in enumerate(image.layers, 1)
    )
    facts = {"source_image": reference, "source_image_digest": digest}
    return Made(image=made, builder=reference, processes={"web": command}, ledger=ledger, facts=facts)


def _command(image: Image) -> tuple[str, ...]:
    settings = image.config.get("config") or {}
    command = (*(settings.get("Entrypoint") or ()), *(settings.get("Cmd") or ()))
    if not command:
        raise BuildFailed(
            "the image does not say what to run: it has neither a command nor an entry point",
            reason="NoCommand",
            stage="detect",
            hint="Choose an image with a CMD, or build one on top of it with a Dockerfile.",
        )
    return command


def _no_image() -> BuildFailed:
    return BuildFailed(
        "no image was named",
        reason="InvalidImageReference",
        stage="fetch",
        hint="Deploy one with: paasctl deploy --image REFERENCE",
    )
