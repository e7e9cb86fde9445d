from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paas.errors import InvalidInput, PaasError
from paas.vault import FileVault, create_key


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    create_key(tmp_path / "keys" / "vault.key")
    return FileVault(tmp_path / "keys" / "vault.key")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.text())
def test_sealed_text_opens_in_its_context_only(vault: FileVault, text: str, context: str) -> None:
    sealed = vault.seal(text, context)
    assert vault.open(sealed, context) == text
    with pytest.raises(PaasError):
        vault.open(sealed, context + "x")


def test_changed_bytes_and_other_keys_are_refused(vault: FileVault, tmp_path: Path) -> None:
    sealed = vault.seal("secret", "a")
    with pytest.raises(PaasError, match="changed"):
        vault.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "a")
    create_key(tmp_path / "other.key")
    with pytest.raises(PaasError, match="sealed with key"):
        FileVault(tmp_path / "other.key").open(sealed, "a")


def test_missing_or_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        FileVault(tmp_path / "absent.key")
    (tmp_path / "short.key").write_bytes(b"x")
    with pytest.raises(InvalidInput):
        FileVault(tmp_path / "short.key")


def test_key_file_is_private(vault: FileVault, tmp_path: Path) -> None:
    assert (tmp_path / "keys" / "vault.key").stat().st_mode & 0o077 == 0
