"""A registry of the OCI distribution specification, as far as a builder and a deployer need it.

A digest is not a permission: every call asks for a token for its own repository only, a mount for both. Each
body is checked against its digest on the way out. Tags are for people; images are pushed and read by digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from paas.errors import InvalidInput, NotFound, PaasError
from paas.oci import images
from paas.oci.digests import Digest, is_digest, parse_digest, sha256
from paas.oci.images import Image
from paas.oci.tokens import Scope
from paas.oci.transport import Call, Tokens, Transport, read_body
from paas.oci.uploads import Upload, cancel_session, location

_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_ACCEPT = {"Accept": ", ".join(images.ACCEPTED)}


class Registry:
    """One registry. Its calls may come from many threads; each ends in time or raises Unavailable."""

    def __init__(
        self, url: str, tokens: Tokens | None = None, *, timeout: float = 30.0, patience: float = 10.0
    ) -> None:
        """`timeout` is for one silence of the line, `patience` for all retries of one call, in seconds."""
        self._transport = Transport(url, tokens, timeout=timeout, patience=patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()

    def ping(self) -> None:
        """It answers and accepts our tokens. Raises Unavailable, Forbidden."""
        self._transport.send(Call("GET", "v2/"))

    def has_blob(self, repo: str, digest: Digest) -> bool:
        """Whether the blob is in this repository; that it is in another one does not count."""
        try:
            self._transport.send(Call("HEAD", _blob(repo, digest), (Scope(repo, ("pull",)),)))
        except NotFound:
            return False
        return True

    def mount(self, repo: str, digest: Digest, source_repo: str) -> bool:
        """Make another repository's blob one of this repository's too; False if it is not there."""
        path = f"v2/{_checked(repo)}/blobs/uploads/?mount={parse_digest(digest)}&from={_checked(source_repo)}"
        scopes = (Scope(repo, ("pull", "push")), Scope(source_repo, ("pull",)))
        answer = self._transport.send(Call("POST", path, scopes, expected=frozenset({201, 202})))
        if answer.status == 201:
            return True
        with contextlib.suppress(PaasError):  # the registry clears old sessions itself
            cancel_session(self._transport, repo, location(answer))
        return False

    def upload(self, repo: str) -> Upload:
        """Start a blob that is written piece by piece."""
        return Upload(self._transport, _checked(repo))

    def put_blob(self, repo: str, data: bytes) -> Digest:
        """A blob that is at hand as a whole."""
        digest = sha256(data)
        if not self.has_blob(repo, digest):
            with self.upload(repo) as upload:
                upload.write(data)
                upload.commit(digest)
        return digest

    def open_blob(self, repo: str, digest: Digest) -> Iterator[bytes]:
        """The blob in pieces. Raises PaasError at the end if they were not the blob's."""
        call = Call("GET", _blob(repo, digest), (Scope(repo, ("pull",)),))
        found = hashlib.sha256()
        with self._transport.open(call) as response:
            for chunk in read_body(response):
                found.update(chunk)
                yield chunk
        if "sha256:" + found.hexdigest() != digest:
            raise _corrupt(repo, digest)

    def image(self, repo: str, reference: str, *, platform: str = "linux/amd64") -> Image:
        """The image that a tag or a digest names; of one for many platforms, the given one's."""
        body = self._manifest(repo, reference)
        index = images.parse_index(body)
        if index is not None:
            body = self._manifest(repo, images.choose(index, platform).digest)
        manifest = images.parse_manifest(body)
        config = b"".join(self._bounded(repo, manifest.config))
        return images.assemble(manifest, config)

    def push_image(self, repo: str, image: Image, *, tag: str | None = None, config: bytes | None = None) -> Digest:
        """Write config and manifest; the layers must be in the repository. Raises Conflict if one is not."""
        manifest, config, digest = images.render(image, config)
        self.put_blob(repo, config)
        answer = self._transport.send(
            Call(
                "PUT",
                _manifest(repo, tag or digest),
                (Scope(repo, ("pull", "push")),),
                manifest,
                {"Content-Type": images.OCI_MANIFEST},
                expected=frozenset({201}),
            )
        )
        if answer.headers.get("Docker-Content-Digest", digest) != digest:
            raise _corrupt(repo, digest)
        return digest

    def digest_of(self, repo: str, tag: str) -> Digest:
        """What a tag names now. Raises NotFound."""
        call = Call("HEAD", _manifest(repo, tag), (Scope(repo, ("pull",)),), headers=_ACCEPT)
        return parse_digest(self._transport.send(call).headers.get("Docker-Content-Digest"))

    def delete_manifest(self, repo: str, digest: Digest) -> None:
        """The image is gone, with all its tags; its blobs wait for the registry's garbage collection."""
        call = Call(
            "DELETE", _manifest(repo, parse_digest(digest)), (Scope(repo, ("delete",)),), expected=frozenset({202, 404})
        )
        self._transport.send(call)

    def delete_blob(self, repo: str, digest: Digest) -> None:
        """The blob is no longer this repository's; its data waits until no repository has it."""
        call = Call(
            "DELETE", _blob(repo, parse_digest(digest)), (Scope(repo, ("delete",)),), expected=frozenset({202, 404})
        )
        self._transport.send(call)

    def _manifest(self, repo: str, reference: str) -> bytes:
        call = Call("GET", _manifest(repo, reference), (Scope(repo, ("pull",)),), headers=_ACCEPT)
        answer = self._transport.send(call)
        expected = reference if is_digest(reference) else answer.headers.get("Docker-Content-Digest")
        if expected and sha256(answer.body) != expected:
            raise _corrupt(repo, reference)
        return answer.body

    def _bounded(self, repo: str, blob: images.Descriptor) -> Iterator[bytes]:
        if blob.size > images.CONFIG_MAX:
            raise InvalidInput(f"The image's config is longer than {images.CONFIG_MAX} bytes.")
        left = blob.size
        for chunk in self.open_blob(repo, blob.digest):
            left -= len(chunk)
            if left < 0:
                raise _corrupt(repo, blob.digest)
            yield chunk


def _checked(repo: str) -> str:
    if len(repo) > 255 or not _REPOSITORY.fullmatch(repo):
        raise InvalidInput(f"{repo[:100]!r} is not a repository's name.", field="repository")
    return repo


def _blob(repo: str, digest: Digest) -> str:
    return f"v2/{_checked(repo)}/blobs/{parse_digest(digest)}"


def _manifest(repo: str, reference: str) -> str:
    if not is_digest(reference) and not _TAG.fullmatch(reference):
        raise InvalidInput(f"{reference[:100]!r} is neither a tag nor a digest.", field="reference")
    return f"v2/{_checked(repo)}/manifests/{reference}"


def _corrupt(repo: str, reference: str) -> PaasError:
    return PaasError(
        f"The registry's {reference} in {repo} is damaged: its bytes have another digest.",
        hint="Rebuild the app; `paas doctor` checks the registry's disk.",
        repository=repo,
        reference=reference,
    )
