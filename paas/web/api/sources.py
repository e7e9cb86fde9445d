"""Sources: a folder that a user sends instead of pushing it."""

from __future__ import annotations

from contextlib import suppress

from paas.actions import sources
from paas.actions.sources import SourceInfo
from paas.errors import InvalidInput
from paas.oci.streams import Chunks
from paas.web.fields import AppPath
from paas.web.routes import Call, Noun

noun = Noun("sources")
TAR = "application/x-tar"
PIECE = 1024 * 1024
ENTRY_BYTES = 2048
"""What an entry's headers may add to the files themselves."""


@noun.route("POST", "/projects/<project>/apps/<app>/sources", status=201)
def create_source(call: Call, path: AppPath) -> SourceInfo:
    """Store a folder, sent as a tar (`application/x-tar`, plain or gzip); give its digest to a build as `source`."""
    if call.headers.get("Content-Type", "").partition(";")[0].strip() != TAR:
        raise InvalidInput(f"the body must be {TAR}", field="Content-Type", hint="paasctl deploy --from-dir DIR")
    settings = call.platform.settings
    release = call.slots.take(call.actor.user_id, f"{path.project}/{path.app}")
    body = Chunks(call.body(2 * (settings.source_bytes + ENTRY_BYTES * settings.source_entries)))
    try:
        return sources.upload(call.platform, call.actor, path.project, path.app, body)
    except InvalidInput:
        _drain(body)
        raise
    finally:
        release()


def _drain(body: Chunks) -> None:
    """Read on to the end, or the client would be cut off in the middle and never see why."""
    with suppress(InvalidInput):
        while body.read(PIECE):
            pass
