"""Node's dependency files: package.json and the lock files of npm, yarn and pnpm.

A lifecycle script of the project's own package.json may read anything, so it needs the source; those of the
packages are part of the packages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_LIFECYCLE = ("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare")
_GROUPS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "overrides", "resolutions")
_LOCAL = re.compile(r"(?:file|link|portal|workspace|patch|exec):|[./~]")
_LOCAL_IN_LOCK = re.compile(
    rb"""(?:^|[\s"'@(])(?:file|link|portal|workspace|patch|exec):(?!\.["']?(?::|$)|[^"\n]*builtin<)""", re.MULTILINE
)
"""Yarn's own locks name the project itself as `workspace:.`, and patches that Yarn brings as `builtin<...>`."""
_OF_SOURCE = {
    "pnpm-workspace.yaml": re.compile(rb"^(?:packages|patchedDependencies):", re.MULTILINE),
    ".yarnrc.yml": re.compile(rb"^(?:plugins|constraintsPath|injectEnvironmentFiles):", re.MULTILINE),
}
"""Settings that make package managers look at other files. The same as in the builder's script."""
_NPM_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
_TEXT_LOCKS = ("yarn.lock", "pnpm-lock.yaml")
_EXACT = re.compile(r"=?v?\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?|.*#[0-9a-f]{40}")


def needs_source(files: Mapping[str, bytes]) -> str:
    """Why an installer would look beyond these files; empty if it would not."""
    try:
        return _manifest_reason(files) or _lock_reason(files) or _settings_reason(files)
    except (ValueError, RecursionError, AttributeError, TypeError):
        return "package.json or its lock file could not be read"


def are_pinned(files: Mapping[str, bytes]) -> bool:
    """Is each dependency one version? (Without a lock file; theirs are never.)"""
    if "package.json" not in files:
        return True
    try:
        package = json.loads(files["package.json"])
        return all(_EXACT.fullmatch(text) for group in _GROUPS[:3] for text in package.get(group, {}).values())
    except (ValueError, RecursionError, AttributeError, TypeError):
        return False


def _manifest_reason(files: Mapping[str, bytes]) -> str:
    package = json.loads(files.get("package.json", b"{}"))
    if package.get("workspaces"):
        return "package.json has workspaces"
    script = next((name for name in _LIFECYCLE if name in package.get("scripts", {})), "")
    if script:
        return f"package.json has a script {script!r}"
    if package.get("pnpm", {}).get("patchedDependencies"):
        return "package.json patches its dependencies"
    for group in _GROUPS:
        if _has_local(package.get(group, {})):
            return f"package.json has local {group}"
    return ""


def _lock_reason(files: Mapping[str, bytes]) -> str:
    for path in _NPM_LOCKS:
        packages = json.loads(files.get(path, b"{}")).get("packages", {})
        for name, package in packages.items():
            if package.get("link") or str(package.get("resolved", "")).startswith("file:"):
                return f"{path} locks {name} to a local path"
    for path in _TEXT_LOCKS:
        if _LOCAL_IN_LOCK.search(files.get(path, b"")):
            return f"{path} names a local path"
    return ""


def _settings_reason(files: Mapping[str, bytes]) -> str:
    for path, pattern in _OF_SOURCE.items():
        if found := pattern.search(files.get(path, b"")):
            return f"{path} has {found[0].decode().rstrip(':')}"
    return ""


def _has_local(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_local(inner) for inner in value.values())
    return isinstance(value, str) and bool(_LOCAL.match(value))
