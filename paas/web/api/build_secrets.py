"""Secrets that an app's builds see as files. Their values go in, never out."""

from __future__ import annotations

from pydantic import Field

from paas.actions import build_secrets
from paas.actions.build_secrets import SecretInfo
from paas.web.fields import AppPath, Given, Name
from paas.web.routes import Call, Noun

noun = Noun("build_secrets")
PATH = "/projects/<project>/apps/<app>/build-secrets"


class SecretsChange(Given):
    set: dict[Name, str] = Field(default_factory=dict)
    unset: list[Name] = Field(default_factory=list)


@noun.route("GET", PATH)
def list_build_secrets(call: Call, path: AppPath) -> list[SecretInfo]:
    """Their names."""
    return build_secrets.list_all(call.platform, call.actor, path.project, path.app)


@noun.route("PATCH", PATH)
def update_build_secrets(call: Call, path: AppPath, body: SecretsChange) -> list[SecretInfo]:
    """Set and unset; they count from the next build on."""
    return build_secrets.update(call.platform, call.actor, path.project, path.app, body.set, body.unset)
