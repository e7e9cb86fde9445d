"""Build secrets: into every sandbox of the build, and out of nothing else.

Here stands a wrapper around the build's sandboxes, so no strategy can forget it: it gives them the secrets as files
and the build's cancel, blackens the values in all that is said, and reads along in what becomes a layer. A value that
a program encodes in a way of its own cannot be seen; that is documented.
"""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from paas.core.builds import Limits
from paas.errors import BuildFailed
from paas.oci.archive import Entry, Reader
from paas.oci.trees import shown
from paas.ports import ORDINARY, Changes, Opening, Sandbox, Sandboxes, Say

HIDDEN = "[secret]"
SHORTEST = 4
"""Shorter values are not hidden: they are in half of all words. They are refused when they are set."""


class Redactor:
    """Blackens values, also as base64, in URLs, and line by line."""

    def __init__(self, values: Iterable[str]) -> None:
        found: set[str] = set()
        for value in values:
            for text in (value, *value.splitlines()):
                found |= {form for form in _forms(text.strip()) if len(form) >= SHORTEST}
        self._texts = sorted(found, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without them."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text

    def value(self, value: Any) -> Any:
        """The same for texts in lists and mappings."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {name: self.value(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(inner) for inner in value]
        return value

    def error(self, error: BuildFailed) -> BuildFailed:
        """The failure, fit to be shown."""
        facts = self.value(error.facts)
        hint = self.text(error.hint)
        return BuildFailed(self.text(error.message), reason=error.reason, stage=error.stage, hint=hint, **facts)


def _forms(text: str) -> Iterator[str]:
    """A value as programs print it."""
    if len(text) < SHORTEST:
        return
    yield text
    yield urllib.parse.quote(text, safe="")
    yield urllib.parse.quote_plus(text)
    # Within a longer text (user:password) its base64 depends on where it begins: three forms, without their edges.
    data = text.encode()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode()
        start, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        if end - start >= 2 * SHORTEST:
            yield encoded[start:end]
            yield encoded[start:end].translate(str.maketrans("+/", "-_"))


@dataclass(frozen=True)
class GuardedSandboxes:
    """The build's sandboxes."""

    inner: Sandboxes
    secrets: Mapping[str, str] = field(repr=False)
    check: Callable[[], None]
    redactor: Redactor

    def open(self, image: str, limits: Limits, *, build_id: str, opening: Opening = ORDINARY) -> Sandbox:
        """A sandbox that has all secrets; as a Dockerfile's, those that its opening names."""
        values = {name: value.encode() for name, value in self.secrets.items()}
        given = {name: values[name] for name in opening.secrets if name in values} if opening.as_root else values
        wanted = replace(opening, secrets=given, check=self._both(opening))
        sandbox = self.inner.open(image, limits, build_id=build_id, opening=wanted)
        return _Guarded(sandbox, self.redactor, _patterns(values)) if self.secrets else sandbox

    def sweep(self, running: Callable[[], frozenset[str]]) -> int:
        """Remove the sandboxes of builds that do not run."""
        return self.inner.sweep(running)

    def _both(self, opening: Opening) -> Callable[[], None]:
        def check() -> None:
            self.check()
            opening.check()

        return check


@dataclass(frozen=True)
class _Guarded:
    """One of them."""

    inner: Sandbox
    redactor: Redactor
    patterns: Mapping[bytes, str]

    def put(self, tar: Iterable[bytes], path: str) -> None:
        self.inner.put(tar, path)

    def run(self, argv: tuple[str, ...], env: Mapping[str, str], say: Say, user: str = "", *, folder: str = "") -> int:
        return self.inner.run(argv, env, lambda line: say(self.redactor.text(line)), user, folder=folder)

    def read(self, path: str) -> Generator[tuple[Entry, Reader], None, None]:
        return self.inner.read(path)

    def changes(self, ignored: tuple[str, ...]) -> Changes:
        found = self.inner.changes(ignored)
        return replace(found, entries=scanned(found.entries, self.patterns))

    def close(self) -> None:
        self.inner.close()


def scanned(entries: Iterable[tuple[Entry, Reader]], patterns: Mapping[bytes, str]) -> Iterator[tuple[Entry, Reader]]:
    """The same entries; reading one that holds a secret raises BuildFailed, which names the file and the secret."""
    for entry, body in entries:
        if entry.kind == "file" and entry.size and patterns:
            yield entry, Reader(_Scanner(body, entry, patterns), entry.size)
        else:
            yield entry, body


class _Scanner:
    """Reads a body and looks for patterns, also across the edges of its pieces."""

    def __init__(self, body: Reader, entry: Entry, patterns: Mapping[bytes, str]) -> None:
        self._body = body
        self._entry = entry
        self._patterns = patterns
        self._overlap = max(map(len, patterns)) - 1
        self._tail = b""

    def read(self, n: int, /) -> bytes:
        data = self._body.read(n)
        seen = self._tail + data
        for pattern, name in self._patterns.items():
            if pattern in seen:
                raise BuildFailed(
                    f"the file {shown('/' + self._entry.path)} of the image would hold the build secret {name}",
                    reason="SecretInImage",
                    stage="export",
                    hint="Read it from /run/secrets where it is needed and write it nowhere, or delete the file.",
                )
        self._tail = seen[-self._overlap :] if self._overlap else b""
        return data


def _patterns(values: Mapping[str, bytes]) -> dict[bytes, str]:
    """What must not be in a layer: the value, and its base64."""
    found: dict[bytes, str] = {}
    for name, value in values.items():
        text = value.strip()
        if len(text) >= SHORTEST:
            found |= {text: name, base64.b64encode(text).rstrip(b"="): name}
    return found
