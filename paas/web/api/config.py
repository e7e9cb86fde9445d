"""Config."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from paas.actions import config
from paas.actions.config import ConfigChange
from paas.actions.config_store import ConfigItem
from paas.web.fields import AppPath, Given
from paas.web.routes import Call, Noun

noun = Noun("config")


class ConfigWanted(Given):
    set: Annotated[dict[str, str], Field(max_length=1000)] = Field(default_factory=dict)
    unset: Annotated[list[str], Field(max_length=1000)] = Field(default_factory=list)


@noun.route("GET", "/projects/<project>/apps/<app>/config")
def list_config(call: Call, path: AppPath) -> list[ConfigItem]:
    """The app's environment variables."""
    return config.list_all(call.platform, call.actor, path.project, path.app)


@noun.route("PATCH", "/projects/<project>/apps/<app>/config", status=202)
def update_config(call: Call, path: AppPath, body: ConfigWanted) -> ConfigChange:
    """Set and unset variables at once; one new release for all."""
    return config.update(call.platform, call.actor, path.project, path.app, body.set, body.unset)
