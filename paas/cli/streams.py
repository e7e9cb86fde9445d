"""Streams of the API: server-sent events that resume where they broke off, and lines of JSON.

Every event has a number. After a lost connection the stream goes on behind the last number seen, so
no line is lost and none comes twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from paas.cli import errors
from paas.cli.client import Api, AppApi
from paas.errors import Unavailable

Event = dict[str, Any]
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
OPENED = "(opened)"


@dataclass
class Message:
    """One server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    event: str = ""
    id: str = ""
    data: list[str] = field(default_factory=list)


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines of a byte stream. Only LF and CRLF end one: a log line may hold any other separator of Unicode."""
    rest = b""
    for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


def messages(source: Iterable[str]) -> Iterator[Message]:
    """Events of a stream's lines; comments (heartbeats) and an event that was cut off are left out."""
    message = Message()
    for line in source:
        if not line:
            if message.data or message.event:
                yield message
            message = Message()
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            message.data.append(value)
        elif name == "event":
            message.event = value
        elif name == "id":
            message.id = value


@dataclass(frozen=True)
class Following:
    """Which events to follow: `tail` of the past or all after `after`; with `until` it ends with that source."""

    source: str = ""
    until: str = ""
    tail: int = 0
    after: int | None = None
    patience: float | None = None
    """Seconds without a connection after which to give up; None: never."""


def follow(
    app: AppApi, wanted: Following, say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> Iterator[Event]:
    """Events as they come, across lost connections. Raises Unavailable where the very first connection fails."""
    last, pause, is_first, lost_at = wanted.after, FIRST_PAUSE, True, 0.0
    while True:
        try:
            for message in _connect(app, wanted, last):
                is_first, lost_at = False, 0.0
                if message.event == OPENED:
                    continue
                if message.event == "done":
                    return
                if message.event == "error":
                    raise errors.of(json.loads("\n".join(message.data)))
                pause = FIRST_PAUSE
                event: Event = json.loads("\n".join(message.data))
                if last is None or event["number"] > last:
                    last = event["number"]
                    yield event
        except Unavailable as error:
            if is_first:
                raise
            lost_at = lost_at or time.monotonic()
            if wanted.patience is not None and time.monotonic() - lost_at > wanted.patience:
                raise
            say(f"connection lost ({error.message}), trying again")
        sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _connect(app: AppApi, wanted: Following, last: int | None) -> Iterator[Message]:
    query: dict[str, object] = {"follow": 1, "source": wanted.source, "until": wanted.until}
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
    if last is not None:
        query["after"] = last
        headers["Last-Event-ID"] = str(last)
    elif wanted.tail:
        query["tail"] = wanted.tail
    with app.api.stream("GET", app.path("/events"), query=query, headers=headers) as chunks:
        yield Message(OPENED)
        yield from messages(lines(chunks))


def records(api: Api, path: str, body: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    """The objects of an answer in newline-delimited JSON, to a POST."""
    headers = {"Accept": "application/x-ndjson", "Accept-Encoding": "identity"}
    with api.stream("POST", path, body, query={}, headers=headers) as chunks:
        for line in lines(chunks):
            record = json.loads(line)
            if "problem" in record:
                raise errors.of(record["problem"])
            yield record
