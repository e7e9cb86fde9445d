"""Answers that go on: server-sent events, and the lines of a run. Each holds a place; each sends something in 15 s."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Response

from paas.actions.events import EventInfo
from paas.errors import PaasError, Unavailable
from paas.ports import Say
from paas.web import errors, render

HEARTBEAT = 15.0
FIRST_WAIT = 2.0
"""How long a run may take to fail with a status of its own."""
MOST_LINES = 1000
HEADERS = {"X-Accel-Buffering": "no"}


def sse(items: Iterable[EventInfo | None], until: str, release: Callable[[], None]) -> Response:
    """Events as they come; `done` after the last where the stream has an end."""

    def answer() -> Iterator[str]:
        yield ": connected\n\n"
        try:
            for item in items:
                yield _event(item) if item else ": heartbeat\n\n"
        except PaasError as error:
            yield f"event: error\ndata: {render.text(errors.problem(error))}\n\n"
        else:
            yield f"event: done\ndata: {render.text({'until': until})}\n\n"

    response = Response(answer(), mimetype="text/event-stream", headers=HEADERS)
    response.call_on_close(release)
    return response


def _event(item: EventInfo) -> str:
    return f"id: {item.number}\nevent: {item.kind}\ndata: {render.text(item)}\n\n"


def run(work: Callable[[Say], int], release: Callable[[], None]) -> Response:
    """The lines of a one-off process and its exit code. A client that hangs up ends it at its next line."""
    lines: queue.Queue[dict[str, Any]] = queue.Queue(MOST_LINES)
    gone = threading.Event()

    def say(line: str) -> None:
        _put(lines, {"line": line}, gone)

    def body() -> None:
        broken = Unavailable("the run broke off", hint="The platform's own log says why.")
        last: dict[str, Any] = {"exit": broken.exit_code, "problem": broken}
        try:
            last = {"exit": work(say)}
        except PaasError as error:
            last = {"exit": error.exit_code, "problem": error}
        finally:
            release()
            if not gone.is_set():
                _put(lines, last, gone)

    threading.Thread(target=body, name="run", daemon=True).start()
    first = _first(lines)
    response = Response(_lines(first, lines), mimetype="application/x-ndjson", headers=HEADERS)
    response.call_on_close(gone.set)
    return response


def _put(lines: queue.Queue[dict[str, Any]], line: dict[str, Any], gone: threading.Event) -> None:
    while not gone.is_set():
        try:
            return lines.put(line, timeout=1)
        except queue.Full:
            continue
    raise Unavailable("the client has hung up")


def _first(lines: queue.Queue[dict[str, Any]]) -> dict[str, Any]:
    try:
        first = lines.get(timeout=FIRST_WAIT)
    except queue.Empty:
        return {}
    if "problem" in first:
        raise first["problem"]
    return first


def _lines(first: dict[str, Any], lines: queue.Queue[dict[str, Any]]) -> Iterator[str]:
    line = first
    while True:
        if "problem" in line:
            line = {**line, "problem": errors.problem(line["problem"])}
        yield render.text(line) + "\n"
        if "exit" in line:
            return
        try:
            line = lines.get(timeout=HEARTBEAT)
        except queue.Empty:
            line = {}
