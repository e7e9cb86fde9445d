"""A noun has the same file name in every room; whatever else is in a room has a reason here."""

from __future__ import annotations

import pytest

from tests.meta.code import ROOT

NOUNS = {
    "access", "apps", "build_secrets", "build_settings", "builds", "config", "domains", "events", "processes",
    "builders", "gc", "images", "projects", "rebases", "releases", "sources", "status", "tokens", "users", "webhooks",
}  # fmt: skip

ROOMS = {
    "actions": {
        "platform": "the ports that every verb is given",
        "build_history": "how many builds stay",
        "build_inputs": "what a build is given, from its row",
        "build_requests": "builds.py beyond 300 lines: those that name a source",
        "build_queue": "builds.py beyond 300 lines: which is next",
        "build_runs": "builds.py beyond 300 lines: what the worker does with one",
        "config_store": "sealing, shared by config and releases",
        "deploy_queue": "releases.py beyond 300 lines: which is next",
        "deploys": "releases.py beyond 300 lines: what the worker does with one",
        "leases": "taking work over, shared by builds and releases",
        "logs": "events that instances write",
        "pushes": "the verbs that git needs",
        "repairs": "keeps instances equal to what releases say",
        "stories": "the teller of a build's or release's events",
    },
    "web/api": {"commits": "a build's history, read from git"},
    "worker": {
        "app": "the Celery object",
        "beat": "the scheduler process",
        "main": "the worker process",
        "sweeps": "what beat asks for",
        "turns": "sweeps do not pile up",
    },
    "cli": {
        "addresses": "what a user may type for a platform",
        "client": "the one way to the API",
        "completion": "shell completion",
        "credentials": "what login remembers",
        "deploy": "source to release without git push",
        "environment": "variables of the user's shell",
        "errors": "the boundary: errors become words",
        "folders": "a folder as a stream",
        "git": "the user's own git",
        "git_credential": "what git calls for its credentials",
        "login": "login, logout, whoami",
        "main": "the entry point",
        "options": "options that commands share",
        "output": "tables, JSON, times",
        "session": "one run of paasctl",
        "streams": "following events and runs",
        "target": "which app is meant",
    },
    "core": {
        "names": "the grammar of every name",
        "recipes": "what images of our own are made from",
        "permissions": "the one place that decides",
        "procfile": "the format that sources bring",
        "queues": "who is next, of builds and of releases",
        "rates": "how much of something may come",
    },
}


def strangers(room: str, files: set[str]) -> set[str]:
    return files - NOUNS - ROOMS[room].keys() - {"__init__"}


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_is_a_noun_or_has_a_reason(room: str) -> None:
    files = {path.stem for path in (ROOT / "paas" / room).glob("*.py")}
    assert files
    assert strangers(room, files) == set()


@pytest.mark.parametrize("room", ROOMS)
def test_no_reason_without_its_file(room: str) -> None:
    assert [name for name in ROOMS[room] if not (ROOT / "paas" / room / f"{name}.py").exists()] == []


def test_a_verb_as_a_file_name_is_found() -> None:
    assert strangers("core", {"deployer", "builds", "__init__"}) == {"deployer"}
