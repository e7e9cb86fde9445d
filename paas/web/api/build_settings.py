"""How an app is built."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from paas.actions import build_settings
from paas.actions.build_settings import BuildSettingsInfo
from paas.web.fields import AppPath, Given, Text
from paas.web.routes import Call, Noun

noun = Noun("build_settings")
PATH = "/projects/<project>/apps/<app>/build-settings"


class Settings(Given):
    settings: dict[str, Any]


class SettingsChange(Given):
    set: dict[str, Any] = Field(default_factory=dict)
    unset: list[Text] = Field(default_factory=list)


@noun.route("GET", PATH)
def get_build_settings(call: Call, path: AppPath) -> BuildSettingsInfo:
    """All settings, which of them were changed, and the operator's maxima."""
    return build_settings.get(call.platform, call.actor, path.project, path.app)


@noun.route("PUT", PATH)
def replace_build_settings(call: Call, path: AppPath, body: Settings) -> BuildSettingsInfo:
    """Exactly these settings; all others at their defaults."""
    return build_settings.replace(call.platform, call.actor, path.project, path.app, body.settings)


@noun.route("PATCH", PATH)
def update_build_settings(call: Call, path: AppPath, body: SettingsChange) -> BuildSettingsInfo:
    """Set some, or put some back to their defaults. `build_args.NAME` names one of a table."""
    return build_settings.update(call.platform, call.actor, path.project, path.app, body.set, body.unset)
