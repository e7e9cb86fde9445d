"""The operator's own images: base and builders, made on the engine and pushed to the registry.

The engine's classic builder, as it is everywhere. The context is packed the same way each time, so that what did not
change is not built again; the machine's CA bundle travels in it as a file of its own.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from paas.drivers.docker import render
from paas.drivers.docker.client import Engine, split_reference
from paas.errors import BuildFailed, Conflict, NotFound, Unavailable
from paas.oci import saved
from paas.oci.registry import Registry
from paas.oci.streams import Chunks
from paas.ports import Say

CA_FILE = "ca-bundle.crt"
_IN_MEMORY = 16 * 1024 * 1024
_PIECE = 1024 * 1024
_SILENCE = 900.0
"""Seconds that the engine may say nothing while it builds or imports."""
_OURS = "paas/"
"""Repositories of our images on the engine."""


class Images:
    """Images of one installation on its engine."""

    def __init__(self, engine: Engine, *, installation: str) -> None:
        self._engine = engine
        self._installation = installation

    def exists(self, tag: str) -> bool:
        """Is there an image of this name?"""
        try:
            with self._engine.door("find an image") as api:
                api.inspect_image(tag)
        except NotFound:
            return False
        return True

    def import_base(self, tag: str, tar: Path) -> None:
        """An image of one layer from the tar of a root file system."""
        repository, name = split_reference(tag)
        changes = [f"LABEL {label}={value}" for label, value in self._labels().items()]
        with self._engine.door(f"import {tag}") as api:
            with tar.open("rb") as stream:
                url = f"{api.base_url}/v{api.api_version}/images/create"
                params = {"fromSrc": "-", "repo": repository, "tag": name, "changes": changes}
                response = api.post(url, params=params, data=stream, timeout=_SILENCE)
                api._raise_for_status(response)
                if b'"error"' in response.content:
                    raise Unavailable(f"{tag} could not be imported: {response.text[-300:]}")

    def build(
        self,
        folder: Path,
        tag: str,
        args: Mapping[str, str],
        say: Say,
        *,
        dockerfile: str = "Dockerfile",
        ca_bundle: bytes = b"",
        fresh: bool = False,
        **labels: str,
    ) -> None:
        """Build a folder, telling each line; `fresh`: without what the engine kept. Raises BuildFailed, Unavailable."""
        with _context(folder, ca_bundle) as context, self._engine.door(f"build {tag}") as api:
            told = api.build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                dockerfile=dockerfile,
                buildargs=dict(args),
                labels=self._labels(**labels),
                nocache=fresh,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=_SILENCE,
            )
            for message in told:
                if "error" in message:
                    raise _failed(tag, str(message["error"]))
                for line in str(message.get("stream", "")).splitlines():
                    if line.strip():
                        say(line.rstrip())

    def push(self, tag: str, registry: Registry, repository: str) -> str:
        """Put an image into the registry under its own tag; the digest of its manifest. Raises Unavailable."""
        _, version = split_reference(tag)
        with self._engine.stream(f"/images/{tag}/get", {}, idle=_SILENCE) as response:
            return saved.push(Chunks(response.iter_content(_PIECE)), registry, repository, tag=version)

    def _labels(self, **more: str) -> dict[str, str]:
        return render.labels(self._installation, "image", **more)


def _context(folder: Path, ca_bundle: bytes) -> IO[bytes]:
    """The folder as a tar: sorted, without times and owners."""
    spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=spool, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, name in _files(folder):
            info = _plain(tar.gettarinfo(str(path), name))
            if info.isreg():
                with path.open("rb") as body:
                    tar.addfile(info, body)
            else:
                tar.addfile(info)
        bundle = _plain(tarfile.TarInfo(CA_FILE))
        bundle.size = len(ca_bundle)
        tar.addfile(bundle, io.BytesIO(ca_bundle))
    spool.seek(0)
    return spool


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name != CA_FILE and "__pycache__" not in path.parts:
            yield path, name


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = 0
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    return info


def _failed(tag: str, said: str) -> BuildFailed | Unavailable:
    if "no space left" in said.lower():
        return Unavailable(f"{tag} could not be built: {said}", hint="The engine's disk is full.")
    return BuildFailed(f"{tag} could not be built: {said}", reason="image_build_failed", stage="image")


def remove_everything(engine: Engine, installation: str, *, registry_host: str = "") -> dict[str, int]:
    """What this installation made on the engine is gone; how many of each.

    By label. Whatever is made from an image inherits its labels, so a stranger's container on one of our images, or an
    image built on one, is told apart by its role or its name.
    """
    ours = {"label": render.own(installation)}
    with engine.door("list what is ours") as api:
        listed = api.containers(all=True, filters=ours)
        containers = [c["Id"] for c in listed if c["Labels"].get(render.ROLE) != "image"]
        networks = [n["Id"] for n in api.networks(filters=ours)]
        names = [name for image in api.images(filters=ours) for name in _own_names(image, registry_host)]
    for container in containers:
        _remove(engine, "remove_container", container, force=True, v=True)
    for network in networks:
        _remove(engine, "remove_network", network)
    for name in names:
        _remove(engine, "remove_image", name)
    return {"containers": len(containers), "networks": len(networks), "images": len(names)}


def _remove(engine: Engine, call: str, name: str, **options: bool) -> None:
    """Gone, or used by somebody else and so not ours alone."""
    with contextlib.suppress(NotFound, Conflict), engine.door(f"remove {name}") as api:
        getattr(api, call)(name, **options)


def _own_names(image: Mapping[str, Any], registry_host: str) -> list[str]:
    """The names by which an image is ours; its id where it has no name at all."""
    names = [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]
    named = [name for name in names if "<none>" not in name]
    heads = (_OURS, f"{registry_host}/") if registry_host else (_OURS,)
    return [name for name in named if name.startswith(heads)] if named else [str(image["Id"])]
