"""Seals secrets for the database: AES-256-GCM, the key in a file of the state folder.

The context (`APP_ID/NAME`) is authenticated with the text, so a sealed value cannot be moved to another
row. A sealed value is: key id (4 bytes), nonce (12), ciphertext and tag.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from paas.errors import InvalidInput, PaasError

KEY_BYTES = 32


def create_key(path: Path) -> None:
    """Make the key file (0600) if there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_bytes(os.urandom(KEY_BYTES))


class FileVault:
    """Seals with the key of one file. Raises InvalidInput where the file is missing or not a key."""

    def __init__(self, path: Path) -> None:
        key = path.read_bytes() if path.exists() else b""
        if len(key) != KEY_BYTES:
            raise InvalidInput(
                f"{path} is not a key", hint="Restore it from a backup, or run `make up` on a new state."
            )
        self._key = key
        self._key_id = hashlib.sha256(key).digest()[:4]

    def seal(self, text: str, context: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(12)
        return self._key_id + nonce + AESGCM(self._key).encrypt(nonce, text.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key_id, nonce, body = sealed[:4], sealed[4:16], sealed[16:]
        if key_id != self._key_id:
            raise PaasError(
                f"a secret was sealed with key {key_id.hex()}, which is not here", hint="Restore the key file."
            )
        try:
            return AESGCM(self._key).decrypt(nonce, body, context.encode()).decode()
        except InvalidTag as error:
            raise PaasError("a sealed secret was changed", hint="Set the config variable anew.") from error
