"""Names of images."""

from __future__ import annotations

import pytest

from paas.errors import InvalidInput
from paas.oci.references import parse

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("org/app", "docker.io/org/app:latest"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
        ("quay.io/org/app:1", "quay.io/org/app:1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("localhost/app:2", "localhost/app:2"),
        ("QUAY.io/org/app", "quay.io/org/app:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        (f"ghcr.io/a/b/c:3@{DIGEST}", f"ghcr.io/a/b/c@{DIGEST}"),
    ],
)
def test_reference_is_written_out(text: str, full: str) -> None:
    assert str(parse(text)) == full


@pytest.mark.parametrize(
    "text",
    ["", " ", "-x", "a b", "UPPER/case", "a//b", "a/../b", "app:", "app:-x", "app@sha256:1", "http://quay.io/a",
     "quay.io/", "a:b:c", "quay.io/a;rm", "a\nb", "user@host/a", "[::1]:5000/a", "a" * 300],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text)
