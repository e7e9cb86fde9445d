"""The environment variables that paasctl itself obeys: read here once, passed on as a value.

They are the user's shell, not the platform's settings, and paasctl is installed without those.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """`url` and `token` win over what `paasctl login` stored."""

    config_file: Path
    url: str = ""
    token: str = ""
    app: str = ""
    project: str = ""
    debug: bool = False
    no_color: bool = False
    has_browser: bool = False


def read(environ: Mapping[str, str] | None = None) -> Environment:
    """The user's environment."""
    environ = os.environ if environ is None else environ  # noqa: TID251 - a client has no paas.settings
    home = environ.get("XDG_CONFIG_HOME", "")
    folder = Path(home) if home.startswith("/") else Path("~/.config").expanduser()
    return Environment(
        config_file=folder / "paasctl" / "config.json",
        url=environ.get("PAASCTL_URL", ""),
        token=environ.get("PAASCTL_TOKEN", "").strip(),
        app=environ.get("PAASCTL_APP", ""),
        project=environ.get("PAASCTL_PROJECT", ""),
        debug=bool(environ.get("PAASCTL_DEBUG")),
        no_color=bool(environ.get("NO_COLOR")),
        has_browser=sys.platform in ("darwin", "win32")
        or any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")),
    )
