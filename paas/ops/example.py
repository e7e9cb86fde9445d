"""The first admin, this machine's paasctl, and the example app: by the same doors as every user."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paas import programs
from paas.actions import access
from paas.actions.platform import Platform
from paas.errors import Conflict, PaasError, Unavailable
from paas.ops import asking, environment, state
from paas.ops.environment import Person
from paas.programs import Finished
from paas.settings import Settings

PROJECT, APP = "demo", "hello"
SOURCE = environment.ROOT / "examples" / "hello"
_SECONDS = 60.0
_PUSH_SECONDS = 900.0
_COMMIT = {
    "GIT_AUTHOR_NAME": "paas",
    "GIT_AUTHOR_EMAIL": "paas@localhost",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "paas",
    "GIT_COMMITTER_EMAIL": "paas@localhost",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}
"""Fixed: the same files are the same commit, and pushing that again does nothing."""

Say = Callable[[str], None]


def first_admin(settings: Settings, platform: Platform, say: Say) -> None:
    """There is an admin; the password is in a file, written before the user is made, so that it is never lost."""
    path = credentials(settings)
    if not path.exists():
        text = f"url: {settings.api_url}\nuser: admin\npassword: {secrets.token_urlsafe(18)}"
        state.write_private(path, text)
        try:
            access.add_user(platform, "admin", read_password(settings), True)
        except Conflict:
            path.unlink()
            say("there already; its password file was removed")
            return
    else:
        try:
            access.add_user(platform, "admin", read_password(settings), True)
        except Conflict:
            say("there already")
            return
    say(f"admin, password in {path}")


def credentials(settings: Settings) -> Path:
    return settings.state / state.CREDENTIALS


def read_password(settings: Settings) -> str:
    """The admin's first password. Raises Unavailable where the file is gone."""
    try:
        lines = credentials(settings).read_text().splitlines()
        return dict(line.split(": ", 1) for line in lines)["password"]
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise Unavailable(
            f"{credentials(settings)} is not there or damaged", hint="Log in with `paasctl login`."
        ) from error


def login(settings: Settings, person: Person, say: Say) -> None:
    """The person's paasctl is logged in, as whom it was or else as admin. Raises Unavailable."""
    env = {"PAASCTL_URL": settings.api_url}
    if _paasctl(person, "whoami", "--json", env=env, ok=False).code == 0:
        say(f"{person.name} was logged in")
        return
    words = ("login", settings.api_url, "--username", "admin", "--password-stdin")
    _paasctl(person, *words, given=read_password(settings).encode() + b"\n")
    say(f"{person.name} is logged in as admin")


def logout(settings: Settings, person: Person) -> None:
    """The person's paasctl and git forget this platform."""
    _paasctl(person, "logout", settings.api_url, ok=False)


def is_there(settings: Settings, person: Person) -> bool:
    """Does the person see the example app?"""
    return _info(settings, person).code == 0


def push(settings: Settings, person: Person, say: Say) -> str:
    """The example app is live, by the real git; what it answers. Raises Unavailable."""
    folder = Path(tempfile.mkdtemp(prefix="paas-hello-"))
    try:
        shutil.copytree(SOURCE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        _give(folder, person)
        for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "Example app")):
            _run(person, ["git", *words], cwd=folder, env=_COMMIT)
        url = _app(settings, person, folder)
        _push(settings, person, folder, url, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return asking.await_page(settings, settings.app_host(PROJECT, APP)).strip()


def _app(settings: Settings, person: Person, folder: Path) -> str:
    """The project and the app are there; the app's git URL."""
    env = {"PAASCTL_URL": settings.api_url}
    told = _info(settings, person)
    if told.code:
        _paasctl(person, "projects", "create", PROJECT, env=env, ok=False)
        words = ("apps", "create", APP, "--project", PROJECT, "--no-remote", "--json")
        told = _paasctl(person, *words, env=env, cwd=folder)
    found: dict[str, Any] = json.loads(told.stdout)
    return str(found["git_url"])


def _info(settings: Settings, person: Person) -> Finished:
    words = ("apps", "info", "--app", APP, "--project", PROJECT, "--json")
    return _paasctl(person, *words, env={"PAASCTL_URL": settings.api_url}, ok=False)


def _push(settings: Settings, person: Person, folder: Path, url: str, say: Say) -> None:
    argv = _as(person, ["git", "push", "--force", url, "main"])
    process = programs.start(argv, cwd=folder, env=person.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    timer = threading.Timer(_PUSH_SECONDS, programs.kill, [process])
    timer.start()
    try:
        assert process.stdout
        for line in process.stdout:
            say(line.decode("utf-8", "replace").rstrip())
        code = process.wait(_SECONDS)
    finally:
        timer.cancel()
        programs.kill(process)
        if process.stdout:
            process.stdout.close()
    if code:
        raise Unavailable("the example app could not be pushed", hint="The lines above say why.")


def _paasctl(
    person: Person,
    *words: str,
    env: dict[str, str] | None = None,
    ok: bool = True,
    given: bytes = b"",
    cwd: Path = Path("/"),
) -> Finished:
    return _run(person, [str(environment.BIN / "paasctl"), *words], cwd=cwd, env=env or {}, ok=ok, given=given)


def _run(
    person: Person, argv: list[str], *, cwd: Path, env: dict[str, str], ok: bool = True, given: bytes = b""
) -> Finished:
    words = _as(person, argv)
    done = programs.run(words, cwd=cwd, env={**person.environ, **env}, timeout=_SECONDS, input=given)
    if ok and done.code:
        told = (done.stdout + done.stderr).decode("utf-8", "replace").strip()[-500:]
        raise PaasError(f"{Path(argv[0]).name} {argv[1]} failed: {told}")
    return done


def _as(person: Person, argv: list[str]) -> list[str]:
    """Behind sudo the person's files stay the person's."""
    return argv if person.uid == os.geteuid() else ["runuser", "-u", person.name, "--", *argv]


def _give(folder: Path, person: Person) -> None:
    if person.uid != os.geteuid():
        for path in (folder, *folder.rglob("*")):
            os.chown(path, person.uid, person.gid)
