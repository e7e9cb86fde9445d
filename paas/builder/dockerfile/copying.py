"""COPY and ADD: from the context, from another stage or image, or from the Dockerfile itself, into a sandbox."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from paas.builder.dockerfile import context as contexts
from paas.builder.dockerfile import unpacking
from paas.builder.dockerfile.build import Build
from paas.builder.dockerfile.context import Below, Look
from paas.builder.dockerfile.dockerignore import Pattern
from paas.builder.dockerfile.mounts import Mount, mounts
from paas.builder.dockerfile.parse import invalid
from paas.builder.dockerfile.plan import Stage
from paas.builder.dockerfile.values import Built
from paas.builder.dockerfile.walk import Act
from paas.builder.dockerfile.words import expand
from paas.errors import BuildFailed, NotFound
from paas.oci.archive import Entry
from paas.oci.streams import Chunks, Readable
from paas.ports import Opening, Sandbox

_LINKS = 10
_MAX_COPY = 8 << 30
_PIECE = 1024 * 1024
_URL = ("http://", "https://", "git@", "git://", "ssh://")
Item = tuple[Entry, Readable]


def prints(build: Build, stage: Stage, act: Act) -> bytes:
    """The fingerprint of what an act takes from elsewhere. Raises BuildFailed where that is not there."""
    it, found = act.instruction, hashlib.sha256()
    for mount in mounts(act):
        if mount.kind == "bind":
            found.update(_origin_print(build, stage, act, mount.origin, [mount.source or "."]))
        elif mount.kind == "secret":
            value = build.fetched.spec.secrets.get(mount.source, "")
            found.update(hashlib.sha256(value.encode()).digest())
    if it.name in ("COPY", "ADD"):
        _refuse(act)
        sources = [word for word in act.words[:-1] if not word.startswith("<<")]
        if sources:
            found.update(_origin_print(build, stage, act, it.flag("from"), sources))
    return found.digest()


def copy(build: Build, stage: Stage, sandbox: Sandbox, act: Act) -> None:
    """Do one COPY or ADD."""
    it = act.instruction
    look = replace(_look(sandbox, act), max_bytes=build.fetched.tools.limits.disk or _MAX_COPY)
    destination = act.words[-1]
    sources = [word for word in act.words[:-1] if not word.startswith("<<")]
    place = posixpath.normpath(posixpath.join(act.folder, destination))
    existing = kind(sandbox, place)
    many = len(act.words) > 2 or destination.endswith("/") or destination in (".", "..") or existing == "dir"
    for heredoc in it.heredocs:
        body = heredoc.body
        if heredoc.expands:
            body = expand(body, {**act.arguments, **act.env}, build.plan.escape, unquote=False)
        target = posixpath.join(place, heredoc.name) if many else place
        make_folder(sandbox, posixpath.dirname(target), look)
        put_file(sandbox, target, body.encode(), look)
    for source in sources:
        with _taken(build, stage, act, it.flag("from"), source) as taken:
            if it.name == "ADD" and not it.flag("from") and _unpacked(sandbox, taken, place, look, act):
                continue
            is_below = many or taken.is_folder or len(taken.places) > 1
            make_folder(sandbox, place if is_below else posixpath.dirname(place), look)
            _put(sandbox, taken.entries(), _at(taken, place, is_below=is_below), look)


def _unpacked(sandbox: Sandbox, taken: Taken, place: str, look: Look, act: Act) -> bool:
    """Whether it was one archive, which is unpacked now."""
    if taken.is_folder or len(taken.places) != 1:
        return False
    for entry, body in taken.entries():
        if entry.path in taken.places:
            return unpacking.unpack(sandbox, entry, body, place, look, act)
    return False


def fill(build: Build, stage: Stage, sandbox: Sandbox, act: Act, mount: Mount) -> None:
    """The folder or file that a bind, cache or tmpfs mount shows."""
    if mount.kind != "bind":
        make_folder(sandbox, mount.target, Look(mode=0o777))
        return
    with _taken(build, stage, act, mount.origin, mount.source or ".") as taken:
        make_folder(sandbox, mount.target if taken.is_folder else posixpath.dirname(mount.target), Look())
        _put(sandbox, taken.entries(), _at(taken, mount.target, is_below=taken.is_folder), Look())


def kind(sandbox: Sandbox, path: str) -> str | None:
    """What is at a path of the sandbox, links followed: `dir`, `file`, or nothing."""
    for _ in range(_LINKS):
        if path == "/":
            return "dir"
        try:
            with closing(sandbox.read(path)) as entries:
                entry, _body = next(entries)
        except (NotFound, StopIteration):
            return None
        if entry.kind != "symlink":
            return entry.kind
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.target))
    return None


def make_folder(sandbox: Sandbox, path: str, look: Look) -> None:
    """A folder is there; those that are missing, above it too, are made to look like this."""
    missing: list[Item] = []
    while kind(sandbox, path) is None:
        missing.append((Entry(path.strip("/"), "dir", 0o755), Chunks([])))
        path = posixpath.dirname(path)
    _put(sandbox, reversed(missing), {entry.path: entry.path for entry, _ in missing}, look)


def put_file(sandbox: Sandbox, path: str, body: bytes, look: Look) -> None:
    """A small file."""
    entry = Entry(path.strip("/"), "file", 0o644, len(body))
    _put(sandbox, [(entry, Chunks([body]))], {entry.path: entry.path}, look)


def _at(taken: Taken, place: str, *, is_below: bool) -> Mapping[str, str]:
    """Where in the sandbox each entry goes."""
    if isinstance(taken.places, Below):
        return taken.places.moved(place.strip("/"))
    return {path: _join(place, name if is_below else "") for path, name in taken.places.items()}


def _put(sandbox: Sandbox, entries: Iterable[Item], at: Mapping[str, str], look: Look) -> None:
    if at or isinstance(at, Below):
        with contexts.tar(entries, at, look) as tar:
            sandbox.put(tar, "/")


def _join(place: str, name: str) -> str:
    return posixpath.join(place, name).strip("/") if name else place.strip("/")


def _refuse(act: Act) -> None:
    it = act.instruction
    for word in act.words[:-1]:
        if word.startswith(_URL):
            raise invalid(it.line, f"{it.name} fetches nothing: use RUN with curl, wget or git instead")


@dataclass(frozen=True)
class Taken:
    """What a source names."""

    entries: Callable[[], Iterable[Item]]
    """These and others, from the first."""
    places: Mapping[str, str]
    """Below the destination, by the path of the entry."""
    is_folder: bool
    """They are a folder's content."""


@contextmanager
def _taken(build: Build, stage: Stage, act: Act, origin: str, source: str) -> Iterator[Taken]:
    if not origin:
        chosen = contexts.choose(build.context, source)
        if chosen is None:
            raise _missing(act, source)
        yield Taken(lambda: contexts.entries(build.context), chosen.places, chosen.is_folder)
        return
    sandbox = build.open(_other(build, stage, origin), Opening(as_root=True, starts=False))
    try:
        yield _from_sandbox(sandbox, act, source)
    finally:
        sandbox.close()


def _from_sandbox(sandbox: Sandbox, act: Act, source: str) -> Taken:
    path = posixpath.normpath(f"/{source}")
    names = path.strip("/").split("/")
    fixed = next((index for index, name in enumerate(names) if set("*?[") & set(name)), len(names))
    top = _followed(sandbox, "/" + "/".join(names[:fixed]))
    inside = top.strip("/")
    found = kind(sandbox, top)
    if found is None:
        raise _missing(act, source)
    if fixed == len(names):
        places = Below(inside) if found == "dir" else {inside: posixpath.basename(path)}
        return Taken(lambda: sandbox.read(top), places, is_folder=found == "dir")
    return _matching(sandbox, act, source, top, Pattern("/".join(names[fixed:])))


def _matching(sandbox: Sandbox, act: Act, source: str, top: str, pattern: Pattern) -> Taken:
    places: dict[str, str] = {}
    is_folder, inside = False, top.strip("/")
    for entry, _ in sandbox.read(top):
        name = entry.path.removeprefix(inside).strip("/")
        covered = pattern.match(name) if name else 0
        parts = name.split("/")
        if covered and covered == len(parts) and entry.kind == "dir":
            is_folder = True
        elif covered:
            places[entry.path] = parts[-1] if covered == len(parts) else "/".join(parts[covered:])
    if not places and not is_folder:
        raise _missing(act, source)
    return Taken(lambda: sandbox.read(top), places, is_folder)


def _followed(sandbox: Sandbox, path: str) -> str:
    """Where a link at the path leads."""
    for _ in range(_LINKS):
        try:
            with closing(sandbox.read(path)) as entries:
                entry, _body = next(entries)
        except (NotFound, StopIteration):
            return path
        if entry.kind != "symlink":
            return path
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.target))
    return path


def _other(build: Build, stage: Stage, origin: str) -> Built:
    earlier = build.plan.stage(origin, stage.index)
    if earlier:
        return build.make(earlier)
    base = build.base(origin)
    return Built(base, base.image, base.repository, base.digest)


def _origin_print(build: Build, stage: Stage, act: Act, origin: str, sources: list[str]) -> bytes:
    if origin:
        earlier = build.plan.stage(origin, stage.index)
        key = build.walk(earlier).key if earlier else build.base(origin).digest
        return key.encode()
    found = hashlib.sha256()
    for source in sources:
        chosen = contexts.choose(build.context, source)
        if chosen is None:
            raise _missing(act, source)
        name = source.encode("utf-8", "surrogateescape")
        found.update(name + b"\0" + contexts.fingerprint(build.context, chosen.places))
    return found.digest()


def _look(sandbox: Sandbox, act: Act) -> Look:
    it = act.instruction
    mode = it.flag("chmod")
    if mode and not (mode.isdecimal() and set(mode) <= set("01234567")):
        raise invalid(it.line, f"--chmod={mode[:20]}: give an octal number such as 755")
    look = Look(mode=int(mode, 8) if mode else None)
    owner = it.flag("chown")
    if not owner:
        return look
    user, _, group = owner.partition(":")
    uid = _number(sandbox, act, "/etc/passwd", user)
    return replace(look, uid=uid, gid=_number(sandbox, act, "/etc/group", group) if group else uid)


def _number(sandbox: Sandbox, act: Act, file: str, name: str) -> int:
    """The id of a user or group."""
    if name.isdecimal():
        return int(name)
    for line in read_text(sandbox, file).splitlines():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 3 and fields[2].isdecimal():
            return int(fields[2])
    raise invalid(act.instruction.line, f"there is no {name[:40]!r} in {file}")


def read_text(sandbox: Sandbox, path: str, limit: int = _PIECE) -> str:
    """A small file of the sandbox; empty where there is none."""
    try:
        for entry, body in sandbox.read(path):
            return body.read(limit).decode("utf-8", "replace") if entry.kind == "file" and entry.size else ""
    except NotFound:
        pass
    return ""


def _missing(act: Act, source: str) -> BuildFailed:
    it = act.instruction
    hint = "It may be left out by .dockerignore." if not it.flag("from") else ""
    error = invalid(it.line, f"{it.name} finds no {source[:200]!r}")
    return BuildFailed(error.message, reason=error.reason, stage=error.stage, hint=hint or error.hint)
