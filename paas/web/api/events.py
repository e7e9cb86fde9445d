"""Events: an app's story, as a page or as a stream."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from paas.actions import events
from paas.actions.events import Page, Query
from paas.errors import InvalidInput
from paas.web import streams
from paas.web.fields import AppPath, Given, Text
from paas.web.routes import Call, Noun

noun = Noun("events")
MAX_EVENT = 2**62


class EventQuery(Given):
    after: Annotated[int, Field(ge=0, le=MAX_EVENT)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000
    source: Text = ""
    tail: Annotated[int, Field(ge=0, le=1000)] = 0
    follow: bool = False
    until: Text = ""


@noun.route("GET", "/projects/<project>/apps/<app>/events")
def list_events(call: Call, path: AppPath, query: EventQuery) -> Page:
    """A page of the story; with `follow=1` a text/event-stream of it that ends after the source `until`, if given."""
    wanted = Query(query.after, query.limit, query.source, query.tail)
    if not query.follow:
        return events.page(call.platform, call.actor, path.project, path.app, wanted)
    return _follow(call, path, replace(wanted, limit=1000), query.until)  # type: ignore[return-value]


def _follow(call: Call, path: AppPath, wanted: Query, until: str) -> object:
    seen = call.headers.get("Last-Event-ID", "")
    if seen:
        if not seen.isascii() or not seen.isdigit() or int(seen) > MAX_EVENT:
            raise InvalidInput("Last-Event-ID is not a number", field="Last-Event-ID", hint="Send the last `id`.")
        wanted = replace(wanted, after=int(seen), tail=0)
    events.page(call.platform, call.actor, path.project, path.app, replace(wanted, limit=1))
    release = call.slots.take(call.actor.user_id, f"{path.project}/{path.app}")
    items = events.follow(call.platform, call.actor, path.project, path.app, wanted, until)
    return streams.sse(items, until, release)
