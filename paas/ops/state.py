"""The state folder: what it holds, who may read it, and the secrets that nothing may stand in for.

`installation` is written last. Where it is there, a missing key is not made anew: what was sealed with it
would be lost without a word.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from paas import vault
from paas.bootstrap import INSTALLATION, KEYS, VAULT_KEY
from paas.errors import Conflict, InvalidInput
from paas.oci import tokens
from paas.settings import Settings

FOLDERS = ("run", "keys", "tmp", "git", "router", "log", "registry", "redis")
REGISTRY_SECRET = "registry-http.secret"  # noqa: S105 - a file's name
CREDENTIALS = "admin-credentials"
_PLAIN = re.compile(r"/[A-Za-z0-9._/+@-]{1,59}")
"""A socket's path may have 107 bytes; and it stands in configuration files of four programs."""


def prepare(settings: Settings) -> str:
    """The folder with all that is in it from the start; the installation's id. Raises InvalidInput, Conflict."""
    check_path(settings.state)
    for name in ("", *FOLDERS):
        folder = settings.state / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    path = settings.state / INSTALLATION
    if not path.exists():
        _make_secrets(settings)
        _write(path, secrets.token_hex(4))
    problems = secret_problems(settings)
    if problems:
        raise Conflict(problems[0], hint=REMEDY)
    return path.read_text().strip()


REMEDY = "Restore the state folder's `keys` from a backup. Without them config and images cannot be read: `make clean`."


def check_path(path: Path) -> None:
    if not _PLAIN.fullmatch(str(path)):
        raise InvalidInput(
            f"PAAS_STATE={str(path)!r} must be an absolute path of at most 60 plain characters",
            field="PAAS_STATE",
            hint="Use A-Z, a-z, 0-9 and any of . _ / + @ -",
        )


def secret_problems(settings: Settings) -> list[str]:
    """What is wrong with the secrets; empty if nothing."""
    return [problem for path in secret_files(settings) if (problem := _problem(path))]


def secret_files(settings: Settings) -> list[Path]:
    keys = settings.state / KEYS
    names = (tokens.KEY_FILE, tokens.CERTIFICATE_FILE, VAULT_KEY, REGISTRY_SECRET)
    return [settings.state / INSTALLATION, *(keys / name for name in names)]


def registry_secret(settings: Settings) -> str:
    return (settings.state / KEYS / REGISTRY_SECRET).read_text().strip()


def write_private(path: Path, text: str) -> None:
    """A file that only its owner can read, replaced at once or not at all."""
    _write(path, text)


def _make_secrets(settings: Settings) -> None:
    keys = settings.state / KEYS
    tokens.create_key(keys)
    vault.create_key(keys / VAULT_KEY)
    if not (keys / REGISTRY_SECRET).exists():
        _write(keys / REGISTRY_SECRET, secrets.token_urlsafe(32))


def _problem(path: Path) -> str:
    if not path.is_file():
        return f"{path} is missing"
    if not path.read_bytes().strip():
        return f"{path} is empty"
    return f"{path} can be read by others (chmod 600 it)" if path.stat().st_mode & 0o077 else ""


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text + "\n")
    fresh.replace(path)
