"""Fetches a source by git, for strangers from strangers: git runs in a sandbox, the tree comes out as a tar.

The host's name is resolved here, judged, and pinned for git, so that it cannot lead elsewhere a moment later;
redirects are not followed. Behind a proxy the proxy resolves, and only the name can be judged.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

from paas.core import sources
from paas.core.builds import Limits
from paas.core.names import BuildId
from paas.core.sources import GitLocation
from paas.errors import BuildFailed, InvalidInput
from paas.oci.streams import Readable
from paas.ports import Opening, Sandbox, Sandboxes, SandboxOutOfMemory, SandboxTimeout, Say

FOLDER = "/paas-git"
LAST_LINES = 20
MAX_FACT = 1000
_IGNORED = ("/tmp", "/var", "/run", "/home", "/opt", "/root", "/proc", "/sys", "/dev")  # noqa: S108 - in the sandbox
_REPOSITORY, _TREE, _FACTS = "repository", "tree.tar", "facts"
_SCRIPT = f"""
set -eu
umask 077
cd {FOLDER}
git init -q --bare {_REPOSITORY}
printf '%s\\n' "$ATTRIBUTES" > {_REPOSITORY}/info/attributes
cd {_REPOSITORY}
git fetch --progress --depth 1 --no-tags --no-recurse-submodules -- "$URL" "$REF" || {{
    # a server of plain files knows no depth
    git fetch --progress --no-tags --no-recurse-submodules -- "$URL" "$REF"
}}
git rev-parse --verify -q 'FETCH_HEAD^{{commit}}' > ../{_FACTS}
git log --no-walk --format='%an <%ae>%n%s' FETCH_HEAD >> ../{_FACTS}
git archive --format=tar -o ../{_TREE} FETCH_HEAD
cd ..
rm -rf {_REPOSITORY}
"""
_ATTRIBUTES = "* -export-ignore -export-subst -text !crlf !eol -ident -filter !working-tree-encoding"
"""As for pushes: the source is the commit's tree, whatever its own attributes say."""

Store = Callable[[Readable], str]
"""Keeps the tar; its digest in canonical form."""


@dataclass(frozen=True)
class Found:
    """What was fetched: the stored source, and the commit it is."""

    digest: str
    commit: str
    author: str
    message: str


@dataclass(frozen=True)
class GitTools:
    """What the platform lends to a fetch."""

    sandboxes: Sandboxes
    image: str
    """An image with git and a shell."""
    limits: Limits
    hosts: Collection[str]
    """The operator's own forges."""
    has_proxy: bool
    check: Callable[[], None]


def fetch(build_id: BuildId, location: GitLocation, tools: GitTools, store: Store, say: Say) -> Found:
    """Fetch and store. Raises BuildFailed, Unavailable, and what `store` raises."""
    say(f"-----> Fetching {location}")
    config = _config(location, _pin(location, tools))
    opening = Opening(check=tools.check)
    sandbox = tools.sandboxes.open(tools.image, tools.limits, build_id=build_id, opening=opening)
    try:
        sandbox.put((bytes(10240),), FOLDER)  # an empty tar makes the folder
        _run(sandbox, location, config, tools, say)
        return _take(sandbox, location, store)
    finally:
        sandbox.close()


def _pin(location: GitLocation, tools: GitTools) -> str:
    """The addresses that git may use, as curl's option wants them; empty: whatever it resolves."""
    if tools.has_proxy:
        return ""
    try:
        found = socket.getaddrinfo(location.host, location.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _failed(f"{location.host} cannot be resolved: {error}", "Is the host's name right?") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    is_listed = sources.is_listed(location, tools.hosts)
    if not is_listed and not all(map(sources.is_public, addresses)):
        refusal = sources.forbidden(location)
        raise _failed(refusal.message, refusal.hint)
    written = (f"[{address}]" if ":" in address else address for address in addresses)
    return f"{location.host}:{location.port}:{','.join(written)}"


def _config(location: GitLocation, pinned: str) -> dict[str, str]:
    """git's whole configuration, by environment: http and https only, no redirect, no credential, no prompt."""
    config = {
        "protocol.allow": "never",
        "protocol.http.allow": "always",
        "protocol.https.allow": "always",
        "http.followRedirects": "false",
        "core.hooksPath": "/dev/null",
        "transfer.fsckObjects": "true",
        "fetch.fsck.badTimezone": "ignore",
        "fetch.fsck.missingSpaceBeforeDate": "ignore",
        "fetch.fsck.zeroPaddedFilemode": "ignore",
        **({"http.curloptResolve": pinned} if pinned else {}),
    }
    pairs = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (key, value) in enumerate(config.items()):
        pairs |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    fixed = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}
    return {**pairs, **fixed, "HOME": FOLDER, "URL": location.url, "REF": location.ref, "ATTRIBUTES": _ATTRIBUTES}


def _run(sandbox: Sandbox, location: GitLocation, env: dict[str, str], tools: GitTools, say: Say) -> None:
    last: deque[str] = deque(maxlen=LAST_LINES)

    def relay(line: str) -> None:
        tools.check()
        text = line.rpartition("\r")[2].strip()[:MAX_FACT]
        if text and "%" not in text:  # not each step of a progress bar
            last.append(text)
            say(f"       {text}")

    try:
        code = sandbox.run(("/bin/sh", "-c", _SCRIPT), env, relay)
    except SandboxTimeout:
        raise _failed("the fetch took too long", "Fetch less, or push instead.") from None
    except SandboxOutOfMemory:
        raise _failed("the repository needs more memory than a build has", "Push instead.") from None
    if code:
        why = next((line for line in reversed(last) if line.startswith(("fatal:", "error:"))), f"git ended with {code}")
        raise _failed(
            f"{location} cannot be fetched: {why}", "Is it public, and is there such a branch, tag or commit?"
        )


def _take(sandbox: Sandbox, location: GitLocation, store: Store) -> Found:
    """The facts and the tree, in one pass: `facts` comes before `tree.tar`."""
    facts: list[str] = []
    digest = ""
    for entry, body in sandbox.changes(_IGNORED).entries:
        name = entry.path.strip("/")
        if name == f"{FOLDER}/{_FACTS}".strip("/") and entry.size <= 4 * MAX_FACT:
            facts = body.read().decode("utf-8", "replace").split("\n")
        elif name == f"{FOLDER}/{_TREE}".strip("/") and facts:
            digest = _stored(store, body)
    if not digest:
        raise _failed(f"{location} holds no files", "Fetch a branch with files in it.")
    commit, author, message = (*facts, "", "", "")[:3]
    return Found(digest, commit[:64], author[:200], message[:500])


def _stored(store: Store, tar: Readable) -> str:
    try:
        return store(tar)
    except InvalidInput as error:
        raise BuildFailed(error.message, reason="InvalidSource", stage="fetch", hint=error.hint) from error


def _failed(message: str, hint: str) -> BuildFailed:
    return BuildFailed(message, reason="FetchSourceFailed", stage="fetch", hint=hint)
