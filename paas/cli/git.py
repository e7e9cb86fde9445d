"""The user's own git: remotes of the work tree, and where git looks for credentials.

Always an argument list with a timeout; a machine without git only misses the comfort.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

TIMEOUT = 10


def _git(*arguments: str) -> str | None:
    """What git printed; None where it failed or is not there."""
    try:
        done = subprocess.run(
            ["git", *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def work_tree() -> Path | None:
    """The root of the work tree one stands in."""
    found = _git("rev-parse", "--show-toplevel")
    return Path(found.strip()) if found and found.strip() else None


def remotes() -> dict[str, str]:
    """URL by name of the work tree's remotes."""
    return parse_remotes(_git("config", "-z", "--get-regexp", r"^remote\..*\.url$") or "")


def parse_remotes(text: str) -> dict[str, str]:
    """From `git config -z --get-regexp`: `remote.NAME.url`, line feed, URL, NUL."""
    found: dict[str, str] = {}
    for entry in filter(None, text.split("\0")):
        key, _, url = entry.partition("\n")
        found.setdefault(key.removeprefix("remote.").removesuffix(".url"), url)
    return found


def add_remote(name: str, url: str) -> bool:
    return _git("remote", "add", "--", name, url) is not None


def use_helper(url: str, command: str) -> bool:
    """Let git ask this paasctl, and nobody else, about the URL: the empty entry ends the list of wider helpers,
    which would otherwise keep a copy of the token."""
    key = f"credential.{url}.helper"
    return _git("config", "--global", "--replace-all", key, "") is not None and (
        _git("config", "--global", "--add", key, command) is not None
    )


def forget_helper(url: str) -> bool:
    return _git("config", "--global", "--unset-all", f"credential.{url}.helper") is not None


def helper_command(program: str, python: str = sys.executable) -> str:
    """The helper as git's configuration wants it: an absolute path, or after `!` a line for the shell.

    Without an installed `paasctl` it is this Python with `-P`, or else the folder one stands in could provide `paas`.
    """
    path = Path(program)
    if path.name.startswith("paasctl") and path.is_file():
        quoted = shlex.quote(str(path.absolute()))
        return f"{'' if quoted.startswith('/') else '!'}{quoted} git-credential"
    return f"!{shlex.quote(python)} -P -m paas.cli.main git-credential"
