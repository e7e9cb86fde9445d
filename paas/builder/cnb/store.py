"""Where buildpacks come from: those that the platform brings, folders of the source, and inline scripts.

Nothing is fetched. A folder of the source is code of the app's owner, who could as well have put it into the app;
all of them run as the same user in the same sandbox.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from paas.builder.cnb import descriptors, messages, order, project, toml
from paas.builder.cnb.descriptors import Descriptor, Group, Ref
from paas.builder.cnb.project import Item, Project, Script
from paas.builder.source import Open
from paas.errors import InvalidInput
from paas.oci import archive
from paas.oci.archive import Entry, Limits, TarWriter
from paas.oci.streams import Chunks

PLACE = "cnb/buildpacks"
_MAX_FOLDERS, _MAX_BYTES = 200, 64 * 1024
_IN_MEMORY, _PIECE = 8 << 20, 1 << 20
_URNS = ("urn:buildpack:", "urn:cnb:builder:")
_REMOTE = ("urn:", "docker:", "http:", "https:", "file:", "git@")
_DETECT = b"#!/bin/sh\nexit 0\n"


@dataclass(frozen=True)
class Buildpack:
    """One that is there."""

    descriptor: Descriptor
    path: Path | None = None
    """Of one that the platform brings."""
    folder: str = ""
    """Of one that is in the source."""
    script: Script | None = None

    @property
    def place(self) -> str:
        """Where it lies in the sandbox, without the leading slash."""
        return f"{PLACE}/{self.descriptor.escaped}/{self.descriptor.version}"


@dataclass
class Store:
    """All buildpacks of one build, by id and version."""

    shipped: Path | None
    in_source: Mapping[str, bytes]
    """buildpack.toml of the source's folders, by folder."""
    found: dict[tuple[str, str], Buildpack] = field(default_factory=dict)

    def find(self, ref: Ref) -> Descriptor:
        """The one in its version, or the newest. Raises BuildFailed."""
        return self.get(ref).descriptor

    def get(self, ref: Ref) -> Buildpack:
        fitting = [pack for (name, version), pack in self.found.items() if name == ref.id]
        fitting = [pack for pack in fitting if ref.version in ("", pack.descriptor.version)]
        if not fitting:
            raise messages.not_found(str(ref), [str(pack.descriptor) for pack in self.found.values()])
        return max(fitting, key=lambda pack: [int(part) for part in pack.descriptor.version.split(".")])

    def add(self, pack: Buildpack) -> Ref:
        """The source's own come before the platform's of the same name."""
        self.found[pack.descriptor.id, pack.descriptor.version] = pack
        return pack.descriptor.ref


def load(shipped: Path | None, open_source: Open, limits: Limits) -> Store:
    """What the platform brings, and what lies in the source's folder `.buildpacks`. Raises BuildFailed."""
    store = Store(shipped, _folders(open_source, limits))
    for path in sorted(shipped.glob(f"*/{descriptors.FILE}")) if shipped else ():
        store.add(
            Buildpack(descriptors.parse(path.read_bytes(), f"{path.parent.name}/{descriptors.FILE}"), path.parent)
        )
    for folder in sorted(store.in_source):
        if folder.startswith(f"{project.LIST}/"):
            store.add(_of_folder(store, folder))
    return store


def wanted(store: Store, asked: Project, contents: Mapping[str, bytes]) -> tuple[Group, ...]:
    """The groups to try: of the source, or the platform's. Raises BuildFailed."""
    own = tuple(pack.descriptor.ref for pack in store.found.values() if pack.folder)
    before = tuple(_ref(store, item, f"pre-{place}") for place, item in enumerate(asked.before, 1))
    after = tuple(_ref(store, item, f"post-{place}") for place, item in enumerate(asked.after, 1))
    given: tuple[Group, ...]
    if asked.group:
        given = (tuple(_ref(store, item, str(place)) for place, item in enumerate(asked.group, 1)),)
    elif project.ORDER in contents:
        given = _order(contents[project.ORDER], project.ORDER)
    elif own:
        given = (own,)
    elif store.shipped and (file := store.shipped / "order.toml").exists():
        given = _order(file.read_bytes(), "the platform's order.toml")
    else:
        given = ()
    return order.resolve(order.around(given, before, after), store.find)


@contextmanager
def tar(packs: Sequence[Buildpack], open_source: Open, limits: Limits) -> Iterator[Iterator[bytes]]:
    """The buildpacks' files at their places, owned by root."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        writer = TarWriter(file.write)
        _write(writer, packs, open_source, limits)
        writer.close()
        file.seek(0)
        yield iter(lambda: file.read(_PIECE), b"")


def _write(writer: TarWriter, packs: Sequence[Buildpack], open_source: Open, limits: Limits) -> None:
    writer.add(Entry("cnb", "dir", 0o755))
    writer.add(Entry(PLACE, "dir", 0o755))
    for pack in packs:
        writer.add(Entry(posixpath.dirname(pack.place), "dir", 0o755))
        writer.add(Entry(pack.place, "dir", 0o755))
        if pack.path:
            _write_folder(writer, pack.path, pack.place)
        elif pack.script:
            _write_script(writer, pack.script, pack.place)
    in_source = {pack.folder: pack.place for pack in packs if pack.folder}
    if not in_source:
        return
    for entry, body in archive.read_entries(Chunks(open_source()), limits):
        for folder, place in in_source.items():
            if entry.path.startswith(f"{folder}/"):
                target = f"{place}{entry.target.removeprefix(folder)}" if entry.kind == "hardlink" else entry.target
                writer.add(replace(entry, path=f"{place}{entry.path.removeprefix(folder)}", target=target), body)
                break


def _folders(open_source: Open, limits: Limits) -> dict[str, bytes]:
    found = {}
    for entry, body in archive.read_entries(Chunks(open_source()), limits):
        folder, _, name = entry.path.rpartition("/")
        if name == descriptors.FILE and folder and entry.kind == "file" and entry.size <= _MAX_BYTES:
            found[folder] = body.read()
            if len(found) > _MAX_FOLDERS:
                raise InvalidInput(f"the source has more than {_MAX_FOLDERS} files {descriptors.FILE}")
    return found


def _order(content: bytes, file: str) -> tuple[Group, ...]:
    try:
        return descriptors.order_of(toml.parse(content), file)
    except ValueError as error:
        raise messages.invalid_buildpack(file, str(error)) from None


def _ref(store: Store, item: Item, place: str) -> Ref:
    if item.script:
        return store.add(_inline(item, item.script, place))
    uri = item.uri
    for urn in _URNS:
        if uri.startswith(urn):
            name, _, version = uri.removeprefix(urn).partition("@")
            return store.find(Ref(name, version)).ref
    if uri.startswith(_REMOTE) or "://" in uri:
        raise messages.remote(uri)
    if uri:
        folder = posixpath.normpath(uri.lstrip("/") if uri.startswith("/") else uri)
        if folder not in store.in_source:
            raise messages.not_found(uri, sorted(store.in_source))
        return store.add(_of_folder(store, folder))
    if item.id in store.in_source and not any(name == item.id for name, _ in store.found):
        return store.add(_of_folder(store, item.id))  # a line of .buildpacks that is a path
    return store.find(Ref(item.id, item.version)).ref


def _of_folder(store: Store, folder: str) -> Buildpack:
    return Buildpack(descriptors.parse(store.in_source[folder], f"{folder}/{descriptors.FILE}"), folder=folder)


def _inline(item: Item, script: Script, place: str) -> Buildpack:
    name = descriptors.checked_id(item.id or f"inline/{place}", project.FILE)
    if script.api not in messages.APIS:
        raise messages.unknown_api(f"{project.FILE}: the script of {name}", script.api)
    number = int(hashlib.sha256(f"{script.shell}\n{script.inline}".encode()).hexdigest()[:6], 16)
    return Buildpack(Descriptor(script.api, name, f"0.0.{number}"), script=script)


def _write_script(writer: TarWriter, script: Script, place: str) -> None:
    writer.add(Entry(f"{place}/bin", "dir", 0o755))
    text = f"#!{script.shell}\n\n{script.inline}\n".encode()
    for name, body in (("build", text), ("detect", _DETECT)):
        writer.add(Entry(f"{place}/bin/{name}", "file", 0o755, len(body)), io.BytesIO(body))


def _write_folder(writer: TarWriter, folder: Path, place: str) -> None:
    """A folder of the platform's own; its links stay as they are."""
    for path in sorted(folder.rglob("*")):
        at = f"{place}/{path.relative_to(folder).as_posix()}"
        if path.is_symlink():
            writer.add(Entry(at, "symlink", 0o777, target=str(path.readlink())))
        elif path.is_dir():
            writer.add(Entry(at, "dir", 0o755))
        elif path.is_file():
            body = path.read_bytes()
            writer.add(Entry(at, "file", 0o755 if path.stat().st_mode & 0o100 else 0o644, len(body)), io.BytesIO(body))
