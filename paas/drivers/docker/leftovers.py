"""Images that the engine pulled from the built-in registry: which there are, and their removal."""

from __future__ import annotations

from dataclasses import dataclass

from paas.drivers.docker.client import Engine


@dataclass(frozen=True)
class PulledImages:
    """Of one registry, by its host and port."""

    engine: Engine
    registry_host: str

    def list_all(self) -> list[tuple[str, int, bool]]:
        """Reference by digest, bytes, and whether a container stands on it."""
        with self.engine.door("list images") as api:
            used = {container["ImageID"] for container in api.containers(all=True)}
            return [
                (reference, int(image["Size"]), image["Id"] in used)
                for image in api.images()
                for reference in image.get("RepoDigests") or []
                if reference.startswith(f"{self.registry_host}/")
            ]

    def remove(self, reference: str) -> None:
        """Forget the reference, and the image where it was the last. Raises Conflict, NotFound."""
        with self.engine.door(f"remove {reference}") as api:
            api.remove_image(reference)
