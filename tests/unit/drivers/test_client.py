from __future__ import annotations

import docker.errors
import pytest
import requests

from paas.drivers.docker.client import is_disk_full, split_reference, translate
from paas.errors import Conflict, NotFound, Unavailable


def said(status: int, words: str) -> docker.errors.APIError:
    response = requests.Response()
    response.status_code = status
    return docker.errors.APIError("x", response=response, explanation=words)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (409, Conflict), (500, Unavailable), (503, Unavailable), (400, Unavailable)]
)
def test_engine_errors_become_ours(status, kind):
    error = translate(said(status, "no such thing"), "find it")
    assert type(error) is kind
    assert "find it" in error.message
    assert "no such thing" in error.message


def test_full_disk_is_told():
    error = translate(said(500, "write /var: No space left on device"), "create it")
    assert is_disk_full(error)
    assert "disk is full" in error.hint


def test_silent_engine_is_unavailable():
    for cause in (ConnectionRefusedError("refused"), requests.exceptions.ReadTimeout("60 s"), TimeoutError()):
        assert "does not answer" in translate(cause, "list").message


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("127.0.0.1:7481/apps/a1@sha256:00", ("127.0.0.1:7481/apps/a1", "sha256:00")),
        ("paas/python:3.13", ("paas/python", "3.13")),
        ("127.0.0.1:7481/apps/a1", ("127.0.0.1:7481/apps/a1", "latest")),
        ("debian", ("debian", "latest")),
    ],
)
def test_references_are_split(reference, parts):
    assert split_reference(reference) == parts
