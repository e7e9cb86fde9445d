"""Where `paas` runs: the operator's variables, the settings kept in the state folder, and whose machine this is.

What `up` was told is kept, so that a later `down` or `doctor` in a bare shell means the same platform; what the
caller says now wins over what was kept.
"""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import paas
from paas import settings as settings_module
from paas.errors import InvalidInput
from paas.settings import Settings

ROOT = Path(paas.__file__).parent.parent
BIN = Path(sys.executable).parent
KEPT = "settings.env"
PATHS = f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Person:
    """Who typed the command, also behind sudo."""

    name: str
    home: Path
    uid: int
    gid: int

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": str(self.home), "USER": self.name, "PATH": PATHS, "GIT_TERMINAL_PROMPT": "0"}


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that count: defaults, then what was kept, then the caller's. Raises InvalidInput."""
    environ = os.environ if environ is None else environ  # noqa: TID251 - what `paas` itself was told
    given = {name: value for name, value in environ.items() if name.startswith("PAAS_")}
    _check_names(given)
    state = settings_module.load({k: v for k, v in given.items() if k == "PAAS_STATE"}).state
    return settings_module.load({**_kept(state / KEPT), **given})


def as_environ(settings: Settings, *, only_chosen: bool = False) -> dict[str, str]:
    """The settings as variables: what each process of the platform is started with."""
    return {
        f"PAAS_{field.name.upper()}": str(getattr(settings, field.name))
        for field in fields(Settings)
        if not only_chosen or getattr(settings, field.name) != field.default
    }


def keep(settings: Settings) -> None:
    """Write what differs from the defaults into the state folder; it may hold a database's password."""
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in as_environ(settings, only_chosen=True).items()]
    fresh = settings.state / f"{KEPT}.new"
    fresh.touch(mode=0o600)
    fresh.write_text("".join(lines))
    fresh.replace(settings.state / KEPT)


def person(environ: Mapping[str, str] | None = None) -> Person:
    """The user behind sudo, or else the present one."""
    environ = os.environ if environ is None else environ  # noqa: TID251
    behind = environ.get("SUDO_USER", "")
    is_behind = os.geteuid() == 0 and behind not in ("", "root")
    found = pwd.getpwnam(behind) if is_behind else pwd.getpwuid(os.geteuid())
    home = found.pw_dir if is_behind else environ.get("HOME", found.pw_dir)
    return Person(found.pw_name, Path(home), found.pw_uid, found.pw_gid)


def _kept(path: Path) -> dict[str, str]:
    try:
        words = shlex.split(path.read_text())
        return dict(word.split("=", 1) for word in words)
    except (FileNotFoundError, PermissionError):
        return {}
    except ValueError as error:
        raise InvalidInput(f"{path} is damaged: {error}", hint="Each line must be NAME=VALUE.") from error


def _check_names(given: Mapping[str, str]) -> None:
    """A typing error in a setting's name must not pass as the default."""
    known = {f"PAAS_{field.name.upper()}" for field in fields(Settings)}
    unknown = sorted(given.keys() - known)
    if unknown:
        raise InvalidInput(
            f"{unknown[0]} is not a setting", field=unknown[0], hint="docs/operators/settings.md lists them."
        )
