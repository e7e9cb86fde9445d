"""`buildpack.toml`: who a buildpack is, where it runs, and, of a composite one, whom it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paas.builder.cnb import messages, toml
from paas.errors import BuildFailed

FILE = "buildpack.toml"
RESERVED = frozenset({"app", "config", "generated", "sbom", "launcher", "slices"})
_ID = re.compile(r"[A-Za-z0-9.-]+(/[A-Za-z0-9.-]+)*")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){2}")
_MAX_LIST = 200
_MAX_TEXT = 200


@dataclass(frozen=True)
class Ref:
    """A buildpack in a group."""

    id: str
    version: str = ""
    """Empty: the newest there is."""
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.id}@{self.version}" if self.version else self.id


Group = tuple[Ref, ...]


@dataclass(frozen=True)
class Target:
    """An image that a buildpack fits, or (with one distro) one that is there; what is empty fits any."""

    os: str = ""
    arch: str = ""
    variant: str = ""
    distros: tuple[tuple[str, str], ...] = ()

    def fits(self, image: Target) -> bool:
        plain = ((self.os, image.os), (self.arch, image.arch), (self.variant, image.variant))
        if any(mine and its and mine != its for mine, its in plain):
            return False
        there = image.distros[0] if image.distros else ("", "")
        return not self.distros or any(
            all(not mine or not its or mine == its for mine, its in zip(distro, there, strict=True))
            for distro in self.distros
        )


@dataclass(frozen=True)
class Descriptor:
    """What a buildpack says about itself."""

    api: str
    id: str
    version: str
    name: str = ""
    homepage: str = ""
    clear_env: bool = False
    targets: tuple[Target, ...] = ()
    order: tuple[Group, ...] = ()
    """Of a composite one; it has neither detect nor build then."""

    @property
    def escaped(self) -> str:
        """Its id as the name of a folder."""
        return self.id.replace("/", "_")

    @property
    def ref(self) -> Ref:
        return Ref(self.id, self.version)

    def __str__(self) -> str:
        return f"{self.id}@{self.version}"

    def fits(self, image: Target) -> bool:
        """Does it run on such an image? Without targets on any Linux."""
        return any(target.fits(image) for target in self.targets or (Target("linux"),))


def parse(content: bytes, file: str) -> Descriptor:
    """One buildpack.toml. Raises BuildFailed naming file and key."""
    try:
        table = toml.parse(content)
    except ValueError as error:
        raise messages.invalid_buildpack(file, str(error)) from None
    read = _Reader(file)
    api = read.text(table, "api", required=True)
    if api not in messages.APIS:
        raise messages.unknown_api(file, api)
    own = read.table(table, "buildpack")
    order = order_of(table, file)
    if order and (table.get("targets") or table.get("stacks")):
        raise read.wrong("order", "cannot stand beside targets or stacks")
    return Descriptor(
        api=api,
        id=checked_id(read.text(own, "id", required=True), file),
        version=checked_version(read.text(own, "version", required=True), file),
        name=read.text(own, "name"),
        homepage=read.text(own, "homepage"),
        clear_env=read.flag(own, "clear-env"),
        targets=_targets(read, table),
        order=order,
    )


def order_of(table: Mapping[str, Any], file: str) -> tuple[Group, ...]:
    """The groups of a document's `[[order]]`. Raises BuildFailed."""
    read = _Reader(file)
    groups = []
    for item in read.tables(table, "order"):
        members = read.tables(item, "group")
        if not members:
            raise read.wrong("order.group", "is empty")
        groups.append(tuple(_member(read, member, file) for member in members))
    return tuple(groups)


def _member(read: _Reader, table: Mapping[str, Any], file: str) -> Ref:
    version = read.text(table, "version")
    return Ref(
        checked_id(read.text(table, "id", required=True), file),
        checked_version(version, file) if version else "",
        read.flag(table, "optional"),
    )


def checked_id(text: str, file: str) -> str:
    """The id of a buildpack, fit for a path. Raises BuildFailed."""
    is_fit = _ID.fullmatch(text) and not {".", ".."} & set(text.split("/"))
    if not is_fit or text.lower() in RESERVED or len(text) > _MAX_TEXT:
        raise messages.invalid_buildpack(
            file, f"has the id {text[:60]!r}, which is none of letters, numbers, . / and -"
        )
    return text


def checked_version(text: str, file: str) -> str:
    """A version of three numbers. Raises BuildFailed."""
    if not _VERSION.fullmatch(text):
        raise messages.invalid_buildpack(file, f"has the version {text[:60]!r}, which is not X.Y.Z")
    return text


def _targets(read: _Reader, table: Mapping[str, Any]) -> tuple[Target, ...]:
    found = []
    for item in read.tables(table, "targets"):
        distros = tuple((read.text(one, "name"), read.text(one, "version")) for one in read.tables(item, "distros"))
        found.append(Target(read.text(item, "os"), read.text(item, "arch"), read.text(item, "variant"), distros))
    stacks = {read.text(item, "id") for item in read.tables(table, "stacks")}
    if found or "*" in stacks:
        return tuple(found) or (Target(),)
    if "io.buildpacks.stacks.bionic" in stacks:
        return (Target("linux", "amd64", distros=(("ubuntu", "18.04"),)),)
    return ()


@dataclass(frozen=True)
class _Reader:
    """Takes values out of a document, or says which is wrong."""

    file: str

    def wrong(self, key: str, what: str) -> BuildFailed:
        return messages.invalid_buildpack(self.file, f"is wrong: {key} {what}")

    def text(self, table: Mapping[str, Any], key: str, *, required: bool = False) -> str:
        value = table.get(key, "")
        if not isinstance(value, str) or (required and not value) or len(value) > toml.MAX:
            raise self.wrong(key, "must be a text")
        return value

    def flag(self, table: Mapping[str, Any], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def table(self, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = table.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a table")
        return value

    def tables(self, table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value) or len(value) > _MAX_LIST:
            raise self.wrong(key, f"must be a list of at most {_MAX_LIST} tables")
        return value
