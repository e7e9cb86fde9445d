"""One file per noun: its routes, its bodies, its queries."""

from __future__ import annotations

from paas.web.api import access, apps, builds, commits, config, events, processes, projects, releases, status

NOUNS = tuple(
    module.noun for module in (access, projects, apps, builds, releases, processes, config, events, commits, status)
)
