"""What instances write: the last lines of one, or one endless stream of all.

One event stream tells of starts, one thread per container follows its log, one bounded queue merges them. After any
break (the engine restarts, a container restarts) reading goes on after the last stamp that was read.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from docker.types.daemon import CancellableStream

from paas.core.names import AppId
from paas.drivers.docker import frames, render
from paas.drivers.docker.client import Engine
from paas.errors import NotFound, PaasError, Unavailable
from paas.ports import LogLine

_QUEUE = 1000
_IDLE = 3600.0
"""Seconds without a line after which a stream is opened anew."""
_PAUSE = 0.5
_LONGEST_PAUSE = 5.0
_LAST_WORDS = 2.0
"""Seconds."""


def last_lines(engine: Engine, container: str, count: int) -> list[str]:
    """The container's last lines. Raises NotFound."""
    with engine.stream(f"/containers/{container}/logs", _query(tail=str(count), follow=0)) as response:
        return [text for _, text in frames.stored_lines(response.raw.read)][-count:]


def let_finish(ended: str, now: datetime) -> None:
    """Wait until followers had time for what an instance said that died by itself: removing it takes its log away.

    `ended`: the engine's `FinishedAt`; `0001-01-01…` where it never ran.
    """
    age = (now - datetime.fromisoformat(f"{ended[:19]}+00:00")).total_seconds()
    time.sleep(min(max(_LAST_WORDS - age, 0), _LAST_WORDS))


class Follower:
    """One endless reading of all own instances."""

    def __init__(self, engine: Engine, installation: str, since: Mapping[str, str]) -> None:
        self._engine = engine
        self._installation = installation
        self._stamps = dict(since)
        self._queue: queue.Queue[LogLine] = queue.Queue(_QUEUE)
        self._lock = threading.Lock()
        self._reading: dict[str, bool] = {}
        """By container id: was it started again meanwhile?"""
        self._responses: set[Any] = set()
        self._closed = threading.Event()

    def lines(self, stop: Callable[[], bool]) -> Iterator[LogLine]:
        """Until `stop` says so."""
        threading.Thread(target=self._watch, name="log-events", daemon=True).start()
        try:
            while not stop():
                with contextlib.suppress(queue.Empty):
                    yield self._queue.get(timeout=_PAUSE)
        finally:
            self._closed.set()
            with self._lock:
                responses = list(self._responses)
            for response in responses:
                _cut(response)

    def _watch(self) -> None:
        """Events for ever; each time they begin (anew), every container is read from where it was left."""
        pause = _PAUSE
        while not self._closed.is_set():
            began = time.monotonic()
            with contextlib.suppress(PaasError):
                self._read_events()
            pause = _PAUSE if time.monotonic() - began > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
            self._closed.wait(pause)

    def _read_events(self) -> None:
        wanted = {"label": render.own(self._installation, "instance"), "type": ["container"], "event": ["start"]}
        with self._opened("/events", {"filters": json.dumps(wanted)}) as response:
            for container in self._containers():
                self._begin(container["Id"], container["Labels"])
            for line in response.iter_lines(chunk_size=None):
                if line:
                    actor = json.loads(line)["Actor"]
                    self._begin(actor["ID"], actor["Attributes"])

    def _containers(self) -> list[dict[str, Any]]:
        with self._engine.door("list instances") as api:
            wanted = {"label": render.own(self._installation, "instance")}
            return list(api.containers(all=True, filters=wanted))

    def _begin(self, container: str, labels: Mapping[str, str]) -> None:
        """Read the container, by one thread at a time."""
        with self._lock:
            if container in self._reading:
                self._reading[container] = True
                return
            self._reading[container] = False
        threading.Thread(target=self._read, args=(container, labels), name="log", daemon=True).start()

    def _read(self, container: str, labels: Mapping[str, str]) -> None:
        is_gone = False
        while not self._closed.is_set():
            try:
                self._read_once(container, labels)
                is_running = self._is_running(container)
            except NotFound:
                is_gone, is_running = True, False
            except PaasError:
                self._closed.wait(_PAUSE)
                is_running = True
            with self._lock:
                if is_gone or not (is_running or self._reading[container]):
                    break
                self._reading[container] = False
            self._closed.wait(_PAUSE / 10)
        with self._lock:
            self._reading.pop(container, None)
        if is_gone:
            self._stamps.pop(labels.get(render.INSTANCE_ID, ""), None)

    def _read_once(self, container: str, labels: Mapping[str, str]) -> None:
        """From the last stamp to the end of the stream: the container has stopped, or the engine."""
        instance_id = labels.get(render.INSTANCE_ID, "")
        known = self._stamps.get(instance_id, "")
        query = _query(follow=1, **({"since": frames.since(known)} if known else {}))
        with self._opened(f"/containers/{container}/logs", query) as response:
            for stamp, text in frames.stored_lines(response.raw.read):
                if stamp > known:
                    self._put(_line(labels, stamp, text))
                    self._stamps[instance_id] = max(stamp, self._stamps.get(instance_id, ""))

    def _is_running(self, container: str) -> bool:
        with self._engine.door("look at an instance") as api:
            return bool(api.inspect_container(container)["State"]["Running"])

    def _put(self, line: LogLine) -> None:
        """Wait for room: the engine keeps what is not read yet."""
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                return self._queue.put(line, timeout=_PAUSE)
        raise Unavailable("the log is no longer read")

    @contextlib.contextmanager
    def _opened(self, path: str, query: Mapping[str, object]) -> Iterator[Any]:
        """A stream that the end of the reading also ends."""
        with self._engine.stream(path, query, idle=_IDLE) as response:
            with self._lock:
                self._responses.add(response)
            try:
                if self._closed.is_set():
                    raise Unavailable("the log is no longer read")
                yield response
            finally:
                with self._lock:
                    self._responses.discard(response)


def _query(**more: object) -> dict[str, object]:
    return {"stdout": 1, "stderr": 1, "timestamps": 1, **more}


def _line(labels: Mapping[str, str], stamp: str, text: str) -> LogLine:
    return LogLine(
        app_id=AppId(labels.get(render.APP_ID, "")),
        instance=f"{labels.get(render.PROCESS, '')}.{labels.get(render.INDEX, '')}",
        instance_id=labels.get(render.INSTANCE_ID, ""),
        at=stamp,
        text=text,
    )


def _cut(response: Any) -> None:
    """End a read that waits in another thread."""
    with contextlib.suppress(OSError, AttributeError, ValueError, Unavailable):
        CancellableStream(None, response).close()
