from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paas.errors import Conflict, NotFound
from paas.oci import tokens
from paas.oci.tokens import Scope

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    tokens.create_key(tmp_path / "keys")
    files = sorted((tmp_path / "keys").iterdir())
    first = [path.read_bytes() for path in files]
    tokens.create_key(tmp_path / "keys")
    assert [path.read_bytes() for path in files] == first
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600, 0o600]
    assert sorted(path.name for path in files) == [tokens.CERTIFICATE_FILE, tokens.KEY_FILE]


def test_key_text_does_not_show_the_key(tmp_path: Path) -> None:
    tokens.create_key(tmp_path)
    assert "PRIVATE" not in repr(tokens.load_key(tmp_path))


def test_missing_or_open_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        tokens.load_key(tmp_path)
    tokens.create_key(tmp_path)
    (tmp_path / tokens.KEY_FILE).chmod(0o644)
    with pytest.raises(Conflict):
        tokens.load_key(tmp_path)


def test_token_says_scopes_and_life(tmp_path: Path) -> None:
    tokens.create_key(tmp_path)
    key = tokens.load_key(tmp_path)
    token = tokens.mint(key, issuer="i", audience="a", scopes=[Scope("p/x", ("pull",))], now=NOW)
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    assert header == {"alg": "ES256", "typ": "JWT", "kid": key.id}
    assert len(key.id.split(":")) == 12
    assert claims["access"] == [{"type": "repository", "name": "p/x", "actions": ["pull"]}]
    assert claims["exp"] - claims["nbf"] == 60
    assert (claims["iss"], claims["aud"]) == ("i", "a")
