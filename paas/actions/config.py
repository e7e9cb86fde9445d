"""Config: an app's environment variables, sealed in the database; a change makes a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paas.actions import apps, config_store, events, releases
from paas.actions.access import Actor
from paas.actions.config_store import ConfigItem
from paas.actions.platform import Platform
from paas.actions.releases import ReleaseInfo
from paas.core import names
from paas.core.permissions import Permission
from paas.errors import InvalidInput, NotFound

MAX_VALUE = 64 * 1024
MAX_TOTAL = 512 * 1024
"""Bytes of all values of an app: an environment must fit into execve's limits (execve(2))."""
OWN = ("PORT", "PAAS_")
"""The platform sets these itself."""


@dataclass(frozen=True)
class ConfigChange:
    release: ReleaseInfo | None
    """None where nothing changed, or nothing runs yet."""
    items: list[ConfigItem]


def list_all(platform: Platform, actor: Actor, project: str, app: str) -> list[ConfigItem]:
    with platform.db.read() as session:
        row = apps.find(session, actor, Permission.config_read, project, app)
        return config_store.items(platform, session, row.id)


def update(
    platform: Platform, actor: Actor, project: str, app: str, set_: Mapping[str, str], unset: list[str]
) -> ConfigChange:
    """Set and unset variables at once; one new release for all. Raises InvalidInput, NotFound."""
    for name, value in set_.items():
        _check(name, value)
    with platform.db.write() as session:
        row = apps.find(session, actor, Permission.config_write, project, app)
        before = config_store.values(platform, session, row.id)
        after = _merged(before, set_, unset)
        release = None
        if after != before:
            config_store.replace_all(platform, session, row.id, after)
            changed = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
            origin = releases.base(session, row.id)
            what = f"Config: {', '.join(changed)}"
            if origin:
                release = releases.derive(platform, session, row, origin, actor, "config", what)
            else:
                events.write(session, row.id, "api", [f"{what} changed by {actor.name}"], platform.now())
        info = releases.info_of(session, release) if release else None
        items = config_store.items(platform, session, row.id)
    if release:
        releases.announce(platform, release)
    return ConfigChange(info, items)


def _check(name: str, value: str) -> None:
    names.check_config_name(name)
    if name.startswith(OWN):
        raise InvalidInput(f"{name} is set by the platform", field="config", hint="Choose another name.")
    if "\0" in value:
        raise InvalidInput(f"the value of {name} has a NUL byte", field="config", hint="No program could read it.")
    if len(value.encode("utf-8", "surrogateescape")) > MAX_VALUE:
        raise InvalidInput(f"the value of {name} is over {MAX_VALUE} bytes", field="config", hint="Use a file.")


def _merged(before: Mapping[str, str], set_: Mapping[str, str], unset: list[str]) -> dict[str, str]:
    for name in unset:
        if name not in before:
            raise NotFound(f"there is no config variable {name[:60]!r}", hint="See `paasctl config list`.")
    after = {name: value for name, value in {**before, **set_}.items() if name not in unset}
    if sum(len(name) + len(value.encode()) for name, value in after.items()) > MAX_TOTAL:
        raise InvalidInput(f"the config is over {MAX_TOTAL} bytes in all", field="config", hint="Use files.")
    return after
