"""One file per noun: its routes, its bodies, its queries."""

from __future__ import annotations

from paas.web.api import (
    access,
    apps,
    build_secrets,
    build_settings,
    builders,
    builds,
    commits,
    config,
    events,
    gc,
    images,
    processes,
    projects,
    rebases,
    releases,
    sources,
    status,
)

NOUNS = tuple(
    module.noun
    for module in (
        access,
        projects,
        apps,
        sources,
        builders,
        builds,
        build_settings,
        build_secrets,
        rebases,
        releases,
        processes,
        config,
        events,
        gc,
        images,
        commits,
        status,
    )
)
