"""Bare repositories, one per app, in folders named by id; made at their first use.

Attributes of a tree would change what `git archive` exports (`export-ignore`, line ends, filters); the
repository's own attributes come first and switch them all off, so the source is the commit's tree.
"""

from __future__ import annotations

import fcntl
import shutil
import uuid
from pathlib import Path
from typing import IO

from paas import programs
from paas.git import commands
from paas.settings import Settings

ATTRIBUTES = "* -export-ignore -export-subst -text !crlf !eol -ident -filter !working-tree-encoding\n"
TIDY_SECONDS = 600.0
MOST_PACKS = 50


def ensure(settings: Settings, folder: Path, branch: str) -> None:
    """The repository is there, and its HEAD is the branch, so that a clone checks it out."""
    if not (folder / "HEAD").exists():
        _create(settings, folder)
    wanted = f"ref: refs/heads/{branch}\n"
    if (folder / "HEAD").read_text(errors="replace") != wanted:
        commands.check(
            commands.run(settings, folder, "symbolic-ref", "HEAD", f"refs/heads/{branch}"), "git symbolic-ref"
        )


def _create(settings: Settings, folder: Path) -> None:
    """Made aside and moved into place, so that nobody sees half of it."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = folder.parent / f"new-{uuid.uuid4().hex}"
    made = programs.run(
        ["git", "init", "--quiet", "--bare", "--template=", str(aside)],
        cwd=folder.parent,
        env=commands.environment(settings),
        timeout=commands.TIMEOUT,
    )
    commands.check(made, "git init")
    (aside / "info").mkdir(exist_ok=True)
    (aside / "info" / "attributes").write_text(ATTRIBUTES)
    try:
        aside.rename(folder)
    except OSError:
        shutil.rmtree(aside)
        if not (folder / "HEAD").exists():
            raise


def remove(folder: Path) -> None:
    """Nothing of it is left; it may be called again."""
    shutil.rmtree(folder, ignore_errors=True)


def resolve(settings: Settings, folder: Path, branch: str) -> str:
    """The 40-hex name of the branch's commit; empty where there is no such branch."""
    found = commands.run(
        settings, folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"refs/heads/{branch}^{{commit}}"
    )
    return "" if found.code else found.stdout.decode("ascii").strip()


def receiving(folder: Path) -> IO[bytes]:
    """A file to be inherited by the git that receives: its lock holds until the last process of the push ends.

    git leaves its quarantine behind where it is ended by a signal; whoever comes alone removes it.
    """
    lock = (folder / "receiving.lock").open("ab")
    if take(lock, fcntl.LOCK_EX):
        for left in folder.glob("objects/tmp_objdir-*"):
            shutil.rmtree(left, ignore_errors=True)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def take(lock: IO[bytes], kind: int) -> bool:
    """Is the lock free for us now?"""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sweep(settings: Settings) -> None:
    """Remove what a platform that was killed left in the repositories."""
    for folder in {left.parent.parent for left in settings.repositories.glob("*.git/objects/tmp_objdir-*")}:
        receiving(folder).close()
    for aside in settings.repositories.glob("new-*"):
        shutil.rmtree(aside, ignore_errors=True)


def tidy(settings: Settings, folder: Path) -> None:
    """Pack anew where pushes have left many packs; call it while nobody else pushes."""
    if len(list(folder.glob("objects/pack/*.pack"))) > MOST_PACKS:
        commands.run(settings, folder, "repack", "-A", "-d", "-q", timeout=TIDY_SECONDS)
