"""Which repositories may be fetched (threats.md 3.2, U)."""

from __future__ import annotations

import pytest

from paas.core import sources
from paas.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "host", "port", "ref"),
    [
        ("https://forge.example.org/a/b.git", "forge.example.org", 443, "HEAD"),
        ("http://forge.example.org:8080/a#v1.2", "forge.example.org", 8080, "v1.2"),
        ("https://Forge.Example.org./a#feature/x", "forge.example.org", 443, "feature/x"),
        ("https://8.8.8.8/a", "8.8.8.8", 443, "HEAD"),
        ("https://[2606:4700::1111]/a", "2606:4700::1111", 443, "HEAD"),
    ],
)
def test_public_repositories_are_taken_apart(text: str, host: str, port: int, ref: str) -> None:
    found = sources.parse_git(text)
    assert (found.host, found.port, found.ref) == (host, port, ref)


@pytest.mark.parametrize(
    "text",
    [
        "git@forge.example.org:a/b.git", "ssh://forge.example.org/a", "file:///etc", "/etc", "ext::sh -c id",
        "git://forge.example.org/a", "https://user:word@forge.example.org/a", "https://token@forge.example.org/a",
        "https://localhost/a", "https://x.localhost/a", "https://forge.internal/a", "https://forge/a",
        "http://127.0.0.1/a", "http://127.1/a", "http://2130706433/a", "http://0x7f.0.0.1/a", "http://0/a",
        "http://10.1.2.3/a", "http://172.16.0.1/a", "http://192.168.1.1/a", "http://169.254.169.254/latest",
        "http://100.64.0.1/a", "http://[::1]/a", "http://[::]/a", "http://[fe80::1]/a", "http://[fd00::1]/a",
        "http://[::ffff:127.0.0.1]/a", "http://[64:ff9b::7f00:1]/a", "http://[2002:7f00:1::]/a", "http://224.0.0.1/a",
        "https://forge.example.org/a#--upload-pack=x", "https://forge.example.org/a#a..b", "https://-x.org/a",
        "https://forge.example.org:99999/a", "https://forge.example.org/a b", "https://forge.example.org/a\nb",
        "https://forge.example.org\\@10.0.0.1/a", "", "#main", "https://" + "a" * 600 + ".org/",
    ],
)  # fmt: skip
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        sources.parse_git(text)


def test_operators_own_forges_are_allowed_by_name_and_port() -> None:
    for listed in ("10.1.2.3", "10.1.2.3:3000"):
        assert sources.parse_git("http://10.1.2.3:3000/a", [listed]).host == "10.1.2.3"
    with pytest.raises(InvalidInput):
        sources.parse_git("http://10.1.2.3/a", ["10.1.2.3:3000"])
    with pytest.raises(InvalidInput):
        sources.parse_git("http://10.1.2.30/a", ["10.1.2.3"])
