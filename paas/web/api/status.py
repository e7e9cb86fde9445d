"""Status of the platform."""

from __future__ import annotations

from dataclasses import dataclass

from paas.actions import status
from paas.actions.status import Status
from paas.web.routes import Call, Noun

noun = Noun("status")


@dataclass(frozen=True)
class Health:
    state: str


@noun.route("GET", "/status")
def get_status(call: Call) -> Status:
    """How the platform's parts stand."""
    return status.get(call.platform, call.actor)


@noun.route("GET", "/healthz", entry="open")
def healthz(call: Call) -> Health:
    """This process answers."""
    return Health("ok")
