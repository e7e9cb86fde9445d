"""A build's secrets as files in memory, which its sandboxes see as mounts.

An engine cannot put files into a mount of a container, so the files lie in the host's own memory file system, in
a folder that only root may enter. A worker that is killed leaves them to the next sweep.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from paas.errors import InvalidInput, Unavailable

MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, not a temporary folder
TARGET = "/run/secrets"
_ATTEMPTS = 5


class SecretFiles:
    """Those of one installation."""

    def __init__(self, installation: str, memory: Path = MEMORY) -> None:
        self._folder = memory / f"paas-{installation}-secrets"

    def write(self, build_id: str, number: str, secrets: Mapping[str, bytes], owner: str) -> Path:
        """The folder with the files, readable by their owner (`uid:gid`) only. Raises Unavailable."""
        folder = self._folder / f"{build_id}-{number}"
        uid, _, gid = owner.partition(":")
        try:
            self._make(folder)
            for name, value in secrets.items():
                if "/" in name or name in ("", ".", ".."):
                    raise InvalidInput(f"{name!r} is not a secret's name", field="secrets")
                path = folder / name
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
                    file.write(value)
                os.chown(path, int(uid), int(gid or 0))
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise Unavailable(
                f"the build's secrets cannot be given to it: {error}", hint="Is /dev/shm full?"
            ) from error
        return folder

    def remove(self, folder: Path) -> None:
        """They are gone, and with the last of them the installation's folder."""
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def listed(self) -> dict[Path, str]:
        """All there are, each with its build."""
        try:
            return {folder: folder.name.rpartition("-")[0] for folder in self._folder.iterdir()}
        except FileNotFoundError:
            return {}

    def _make(self, folder: Path) -> None:
        """Another worker may be removing the installation's folder, as long as it is empty."""
        for attempt in range(_ATTEMPTS):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            try:
                folder.mkdir(mode=0o755)
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return folder.chmod(0o755)
        return None
