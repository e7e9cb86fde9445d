"""The door for gunicorn: builds the platform once per worker, after the fork."""

from __future__ import annotations

from paas import bootstrap, settings
from paas.web.server import create_server

application = create_server(bootstrap.build_platform(settings.load()))
