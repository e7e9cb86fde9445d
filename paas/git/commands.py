"""How git is called: its arguments and its whole configuration come from here, none from a file of a tenant.

Configuration travels by environment, so that repositories made by an older version follow the settings of
now. No text of a user is ever part of it; ids and 40-hex names are the only variable arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from paas import programs
from paas.errors import Unavailable
from paas.programs import Finished
from paas.settings import MIB, Settings

TIMEOUT = 60.0
MEMORY = 2048 * MIB
"""Address space of one git process: deltas that claim gigabytes end it, not the machine."""

FIXED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
}

_CONFIG = {
    "transfer.fsckObjects": "true",
    "receive.fsckObjects": "true",
    # histories of real projects have these; no checkout is harmed by them
    "receive.fsck.badTimezone": "ignore",
    "receive.fsck.missingSpaceBeforeDate": "ignore",
    "receive.fsck.zeroPaddedFilemode": "ignore",
    "receive.unpackLimit": "1",  # always one pack: big blobs are streamed, never held in memory
    "receive.shallowUpdate": "true",  # CI clones with depth 1
    "receive.autogc": "false",
    "receive.advertisePushOptions": "false",
    "receive.keepAlive": "5",
    "gc.auto": "0",
    "uploadpack.allowAnySHA1InWant": "false",
    "uploadpack.allowTipSHA1InWant": "false",
    "uploadpack.allowReachableSHA1InWant": "false",
    "uploadpack.allowFilter": "false",
    "core.bigFileThreshold": "16m",
    "core.packedGitWindowSize": "32m",
    "core.packedGitLimit": "256m",
    "core.logAllRefUpdates": "false",
    "pack.threads": "1",
    "pack.windowMemory": "64m",
    "protocol.allow": "never",
}


def environment(settings: Settings, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of every git process."""
    config = {
        **_CONFIG,
        "receive.maxInputSize": str(settings.push_bytes),
        "core.hooksPath": str(hooks_folder(settings)),
    }
    pairs = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (key, value) in enumerate(config.items()):
        pairs[f"GIT_CONFIG_KEY_{number}"] = key
        pairs[f"GIT_CONFIG_VALUE_{number}"] = value
    return {**FIXED, **pairs, **(extra or {})}


def hooks_folder(settings: Settings) -> Path:
    """Ours, outside of every repository."""
    return settings.repositories / "hooks"


def argv(repository: Path, *arguments: str) -> list[str]:
    """A git command on one repository."""
    return ["git", f"--git-dir={repository}", *arguments]


def run(
    settings: Settings,
    repository: Path,
    *arguments: str,
    extra: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Finished:
    """Run a git command that says little. Raises Unavailable where git is missing or hangs."""
    return programs.run(argv(repository, *arguments), cwd=repository, env=environment(settings, extra), timeout=timeout)


def check(finished: Finished, what: str) -> bytes:
    """Its output. Raises Unavailable where it failed though the input is ours."""
    if finished.code:
        words = finished.stderr.decode("utf-8", "replace").strip()[:300]
        raise Unavailable(f"{what} failed: {words}", hint="Try again; the operator finds more in the log.")
    return finished.stdout
