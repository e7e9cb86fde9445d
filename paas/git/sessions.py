"""One git process that serves one request. What it writes is drained by a thread of ours, so that a client
that hangs up stops neither git nor the build; the response only reads what the relay holds for it.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import IO

from paas import programs
from paas.errors import InvalidInput
from paas.git import commands, hooks, pushes, repositories
from paas.git.hook import DESCRIPTOR
from paas.git.hooks import HookGone
from paas.git.pushes import Pusher
from paas.git.relay import Relay
from paas.settings import Settings

log = logging.getLogger(__name__)
MOST_SECONDS = 6 * 3600.0
"""A push may wait for other builds; after this the process is ended all the same."""


@dataclass
class Session:
    """A running git process and its relay; `is_kept`: it goes on when the client is gone."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    is_kept: bool
    release: Callable[[], None]
    ended: threading.Event
    relay: Relay = field(default_factory=Relay)

    def feed(self, body: Iterable[bytes]) -> None:
        """Give it the request; what it does not want any more is read and dropped. Raises what `body` raises."""
        stdin = self.process.stdin
        assert stdin is not None
        wanted = True
        try:
            for piece in body:
                if wanted:
                    try:
                        stdin.write(piece)
                    except BrokenPipeError:
                        wanted = False
            with suppress(BrokenPipeError):
                stdin.close()
        except BaseException:
            programs.kill(self.process)
            raise

    def begin(self) -> tuple[bytes, Iterator[bytes]]:
        """The first piece of its answer, and the rest. Raises InvalidInput where it only says no."""
        rest = iter(self.relay)
        try:
            first = next(rest, b"")
        except ConnectionError:
            first = b""
        if not first and self.process.poll():
            raise InvalidInput("git cannot read this request", field="body", hint="Use a stock git client.")
        return first, rest

    def leave(self) -> None:
        """The client is gone."""
        self.relay.detach()
        if not self.is_kept:
            programs.kill(self.process)

    def drain(self) -> None:
        """Read to the end, whoever listens; then free what the request held."""
        assert self.process.stdout is not None
        timer = threading.Timer(MOST_SECONDS, programs.kill, (self.process,))
        timer.daemon = True
        timer.start()
        try:
            while piece := self.process.stdout.read1(65536):  # type: ignore[attr-defined]
                self.relay.put(piece)
            self.process.wait()
        finally:
            timer.cancel()
            self._close()

    def _close(self) -> None:
        self.relay.end()
        self.ended.set()
        self.release()
        self.process.stdout.close()  # type: ignore[union-attr]
        with suppress(OSError):
            self.process.stdin.close()  # type: ignore[union-attr]
        self.errors.seek(0)
        words = self.errors.read(2000).decode("utf-8", "replace").strip()
        self.errors.close()
        if self.process.returncode and words:
            log.info("git ended with %s: %s", self.process.returncode, words)


def upload(settings: Settings, release: Callable[[], None], *arguments: str) -> Session:
    """Serve a fetch, or the refs' advertisement of either service."""
    with ExitStack() as undo:
        undo.callback(release)
        session = _start(settings, list(arguments), {}, (), release, threading.Event(), is_kept=False)
        undo.pop_all()
    return session


def receive(pusher: Pusher, release: Callable[[], None]) -> Session:
    """Serve a push; its hook talks to a thread here."""
    repository = pusher.target.repository
    with ExitStack() as undo:
        undo.callback(release)
        ours, theirs = socket.socketpair()
        undo.callback(ours.close)
        with theirs, repositories.receiving(repository) as lock:
            session = _start(
                pusher.platform.settings,
                ["receive-pack", "--stateless-rpc", str(repository)],
                {DESCRIPTOR: str(theirs.fileno())},
                (theirs.fileno(), lock.fileno()),
                release,
                pusher.gone,
                is_kept=True,
            )
            undo.pop_all()
    threading.Thread(target=_answer_hook, args=(pusher, ours), name=f"push {pusher.target.app_id}", daemon=True).start()
    return session


def _start(
    settings: Settings,
    arguments: list[str],
    extra: dict[str, str],
    pass_fds: tuple[int, ...],
    release: Callable[[], None],
    ended: threading.Event,
    *,
    is_kept: bool,
) -> Session:
    """The started program. Where it does not start, the caller releases."""
    with ExitStack() as undo:
        errors = undo.enter_context(tempfile.TemporaryFile())
        process = programs.start(
            ["git", *arguments],
            cwd=settings.repositories,
            env=commands.environment(settings, extra),
            stdin=subprocess.PIPE,
            stderr=errors,
            pass_fds=pass_fds,
            memory=commands.MEMORY,
        )
        undo.pop_all()  # closed when the process has ended
    session = Session(process, errors, is_kept, release, ended)
    threading.Thread(target=session.drain, name=f"git {process.pid}", daemon=True).start()
    return session


def _answer_hook(pusher: Pusher, peer: socket.socket) -> None:
    """Wait for the hook, do the push's work, tell its end; keep the app's turn until git has moved the ref.

    Whatever goes wrong closes the socket, and the hook refuses the push.
    """
    with ExitStack() as held:
        try:
            with peer:
                _converse(pusher, peer, held)
        except HookGone as error:
            log.info("the hook of %s is gone: %s", pusher.target.app_id, error)
        finally:
            pusher.gone.wait()


def _converse(pusher: Pusher, peer: socket.socket, held: ExitStack) -> None:
    try:
        arrival = hooks.receive(peer, pusher.target.repository)
    except InvalidInput as error:
        hooks.say(peer, f" !     {error.message}")
        hooks.end(peer, 1)
        return
    if arrival is not None:
        hooks.end(peer, pushes.receive(pusher, arrival, lambda line: hooks.say(peer, line), held))
