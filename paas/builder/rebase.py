"""An app's image on the newest version of its base: another manifest, and no build.

The app's layers lie on the base's by reference, so they can lie on another one's that is alike: same platform, same
Debian, same version of the language. Nothing is downloaded; the new base's layers are mounted.
"""

from __future__ import annotations

from collections.abc import Mapping

from paas.builder import bases
from paas.builder.export import TOP_LAYER
from paas.core.rebases import Rebased
from paas.errors import Conflict, NotFound
from paas.oci import images
from paas.oci.digests import is_digest, parse_digest
from paas.oci.images import Additions, Image
from paas.oci.layers import Layer
from paas.oci.registry import Registry

_BASE = "org.opencontainers.image.base."
_ALIKE = ("io.paas.suite", "io.paas.version")
_HINT = "Build it again: paasctl builds start"


def rebase(registry: Registry, repository: str, digest: str) -> Rebased:
    """The image on its base as it is now, in its own repository. Raises Conflict where it has no base to move to."""
    old = registry.image(repository, parse_digest(digest))
    name, _, version = old.labels.get(f"{_BASE}name", "").partition(":")
    was = old.labels.get(f"{_BASE}digest", "")
    if not (name.startswith("builders/") and version and is_digest(was)):
        raise Conflict("its image does not stand on one of the platform's builders", hint=_HINT)
    try:
        base = registry.image(name, now := registry.digest_of(name, version))
    except NotFound:
        raise Conflict(f"{name}:{version} is not there any more", hint=_HINT) from None
    if now == was:
        return Rebased(digest, was, now)
    _check_alike(old, base, f"{name}:{version}")
    own = _own_layers(old)
    bases.mount_layers(registry, repository, base.layers, name)
    additions = _start(old, base) | Additions(
        env=_own(old.env, _env_of(registry, name, was), base.env),
        labels={**_own(old.labels, {}, base.labels), f"{_BASE}digest": now, TOP_LAYER: base.layers[-1].diff_id},
        user=old.user,
        created_by="paas: rebase",
    )
    image = images.extend(base, own, **additions)
    return Rebased(registry.push_image(repository, image), was, now)


def _own_layers(image: Image) -> tuple[Layer, ...]:
    """What lies above the base."""
    top = image.labels.get(TOP_LAYER, "")
    at = [place for place, layer in enumerate(image.layers) if layer.diff_id == top]
    if not at:
        raise Conflict("its image does not say where its base ends", hint=_HINT)
    return image.layers[at[0] + 1 :]


def _start(old: Image, base: Image) -> Additions:
    """How it starts, and where: the app's own words over the base's."""
    was, now = old.config["config"], base.config.get("config") or {}
    found: Additions = {"cmd": was.get("Cmd") or []}
    if (entrypoint := was.get("Entrypoint") or []) and entrypoint != now.get("Entrypoint"):
        found["entrypoint"] = entrypoint
    if (folder := was.get("WorkingDir")) and folder != now.get("WorkingDir"):
        found["workdir"] = folder
    return found


def _check_alike(old: Image, base: Image, name: str) -> None:
    """What was built for one system may not run on another. Raises Conflict."""
    for key in ("os", "architecture"):
        if old.config[key] != base.config[key]:
            raise Conflict(f"{name} is for {base.config[key]} now, it was {old.config[key]}", hint=_HINT)
    for label in _ALIKE:
        before, after = old.labels.get(label), base.labels.get(label)
        if before and after and before != after:
            raise Conflict(f"{name} has another {label.rpartition('.')[2]}: {after}, it was {before}", hint=_HINT)


def _own(values: Mapping[str, str], old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """What the app added to its base: not what the old base said, nor what the new one says otherwise."""
    return {key: value for key, value in values.items() if (old.get(key) != value if key in old else key not in new)}


def _env_of(registry: Registry, name: str, digest: str) -> Mapping[str, str]:
    """The old base's variables; none where the base itself is gone."""
    try:
        return registry.image(name, parse_digest(digest)).env
    except NotFound:
        return {}
