"""What a push does, between git having the objects and the ref moving: store the source, build, wait, tell.

The hook waits for the exit code; 1 refuses the refs, so a branch never points at what failed. Whoever pushes
may go away: build and release go on without a reader.
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from paas.actions import builds, events, pushes, sources
from paas.actions.access import Actor
from paas.actions.builds import Push
from paas.actions.events import Query
from paas.actions.platform import Platform
from paas.actions.pushes import PushResult, PushTarget
from paas.errors import Conflict, PaasError, Unavailable
from paas.git import commits, refs, repositories
from paas.git.commits import Objects
from paas.git.hooks import Arrival
from paas.git.refs import ZERO, Update
from paas.git.terminal import clean

Say = Callable[[str], None]
TURN_SECONDS = 3600.0
MOST_RETRIES = 10


@dataclass(frozen=True)
class Pusher:
    """Who pushes where; `gone` is set when git has ended."""

    platform: Platform
    actor: Actor
    target: PushTarget
    gone: threading.Event


def receive(pusher: Pusher, arrival: Arrival, say: Say, held: ExitStack) -> int:
    """The hook's exit code. `held` keeps the app's turn until the caller closes it, after the ref has moved."""
    try:
        plan = refs.plan(refs.parse(arrival.lines), pusher.target.deploy_branch)
        for note in plan.notes:
            say(clean(note))
        return 0 if plan.build is None else _deploy(pusher, plan.build, arrival, say, held)
    except PaasError as error:
        say(clean(f" !     {error.message}"))
        if error.hint:
            say(clean(f" !     {error.hint}"))
        return 1


def _deploy(pusher: Pusher, update: Update, arrival: Arrival, say: Say, held: ExitStack) -> int:
    platform, target = pusher.platform, pusher.target
    held.enter_context(_turn(pusher, say))
    _check_unmoved(pusher, update)
    objects = Objects(platform.settings, target.repository, arrival.quarantine)
    commit = commits.read(objects, update.new)
    for warning in commits.survey(objects, commit):
        say(warning)
    with commits.archive(objects, commit) as tar:
        digest = sources.store(platform, target.app_id, tar)
    push = Push(digest, update.ref, commit.id, commit.author, commit.message)
    build = builds.start(platform, pusher.actor, target, push)
    result = _follow(pusher, build.number, say)
    if result.ok:
        say(f"=====> {target.url} deployed to paas ({result.release})")
    return 0 if result.ok else 1


@contextmanager
def _turn(pusher: Pusher, say: Say) -> Iterator[None]:
    """One push at a time moves the deploy branch of an app; the kernel frees the lock of a process that dies."""
    deadline = time.monotonic() + TURN_SECONDS
    with (pusher.target.repository / "push.lock").open("ab") as lock:
        waiting = False
        while not repositories.take(lock, fcntl.LOCK_EX):
            if not waiting:
                say("       Waiting: another push to this app is running")
                waiting = True
            if pusher.gone.wait(0.2) or time.monotonic() > deadline:
                raise Unavailable("another push to this app does not end", hint="Push again later.")
        yield
        repositories.tidy(pusher.platform.settings, pusher.target.repository)


def _check_unmoved(pusher: Pusher, update: Update) -> None:
    """git would refuse the ref only after the build; say it before."""
    branch = pusher.target.deploy_branch
    now = repositories.resolve(pusher.platform.settings, pusher.target.repository, branch) or ZERO
    if now != update.old:
        raise Conflict(f"{branch} has moved meanwhile", hint="Fetch, merge, and push again.")


def _follow(pusher: Pusher, number: int, say: Say) -> PushResult:
    """Relay the build's lines, then its release's, and say how it ended."""
    _relay(pusher, f"build/{number}", say)
    while True:
        result = pushes.finish(pusher.platform, pusher.target, number)
        if result.is_final or not result.release:
            return result
        _relay(pusher, f"release/{result.release.removeprefix('v')}", say)


def _relay(pusher: Pusher, source: str, say: Say) -> None:
    """The lines of one source up to its end; a database that is away for a moment costs no line."""
    query, retries = Query(source=source), 0
    target = pusher.target
    while True:
        try:
            for event in events.follow(pusher.platform, pusher.actor, target.project, target.app, query, until=source):
                retries = 0
                if event is None:
                    continue
                query = replace(query, after=event.number)
                if event.kind == "line":
                    say(clean(event.text))
        except Unavailable as error:
            retries += 1
            if retries > MOST_RETRIES:
                raise
            time.sleep(min(error.retry_after, 5))
        else:
            return
