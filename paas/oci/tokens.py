"""Tokens that open the registry: signed here, checked there against a certificate, no question asked between.

A token names its repositories and actions and lives for a minute (the registry grants another minute of leeway).
The registry finds the key by its libtrust id, so the certificate's dates do not matter.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from paas.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

KEY_FILE, CERTIFICATE_FILE = "registry-token.key", "registry-token.crt"
_YEARS_VALID = 30
_NAME = "paas registry tokens"


@dataclass(frozen=True)
class Scope:
    """Some actions (`pull`, `push`, `delete`) on one repository."""

    repository: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class SigningKey:
    """What signs tokens; its text never shows the key."""

    id: str
    pem: bytes = field(repr=False)


def create_key(directory: Path) -> None:
    """Make the key, and the certificate that the registry reads as `rootcertbundle`; what is there stays."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (directory / KEY_FILE).exists():
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_once(directory / KEY_FILE, pem)
    if not (directory / CERTIFICATE_FILE).exists():
        _write_once(directory / CERTIFICATE_FILE, _certificate((directory / KEY_FILE).read_bytes()))


def load_key(directory: Path) -> SigningKey:
    """The key that `create_key` made."""
    from cryptography.hazmat.primitives import serialization

    path = directory / KEY_FILE
    try:
        pem = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound("The registry's signing key is not there.", hint=f"Expected it at {path}.") from error
    if path.stat().st_mode & 0o077:
        raise Conflict("The registry's signing key can be read by others.", hint=f"chmod 600 {path}")
    spki = (
        _private_key(pem)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return SigningKey(_libtrust_id(spki), pem)


def mint(
    key: SigningKey,
    *,
    issuer: str,
    audience: str,
    scopes: Sequence[Scope],
    life_seconds: int = 60,
    now: datetime,
) -> str:
    """A token for these scopes and nothing else."""
    from joserfc import jwt
    from joserfc.jwk import ECKey

    at = int(now.timestamp())
    claims = {
        "iss": issuer,
        "sub": "paas",
        "aud": audience,
        "iat": at,
        "nbf": at,
        "exp": at + life_seconds,
        "jti": secrets.token_urlsafe(12),
        "access": [{"type": "repository", "name": s.repository, "actions": list(s.actions)} for s in scopes],
    }
    return jwt.encode({"alg": "ES256", "typ": "JWT", "kid": key.id}, claims, ECKey.import_key(key.pem))


def _libtrust_id(spki: bytes) -> str:
    """The registry's own way to name a key: 240 bits of its hash in groups of four letters."""
    text = base64.b32encode(hashlib.sha256(spki).digest()[:30]).decode()
    return ":".join(text[i : i + 4] for i in range(0, len(text), 4))


def _certificate(pem: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    key = _private_key(pem)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _NAME)])
    start = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * _YEARS_VALID))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_key(pem: bytes) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except ValueError as error:
        raise InvalidInput("The registry's signing key is damaged.", hint="Restore it from the backup.") from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise InvalidInput("The registry's signing key is not an EC key.", hint="Restore it from the backup.")
    return key


def _write_once(path: Path, data: bytes) -> None:
    """Whole or not at all, for the owner only, and never over a file that is there."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()
