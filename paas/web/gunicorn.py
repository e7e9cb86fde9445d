"""gunicorn's configuration: `gunicorn -c python:paas.web.gunicorn`.

One worker: the pace of logins and the places for streams are counted in its memory. Many threads: each
stream, run and push holds one (25 KB each, libraries.md part 4).
"""

from __future__ import annotations

from paas import settings as _settings

_loaded = _settings.load()
_loaded.run_folder.mkdir(parents=True, exist_ok=True, mode=0o700)

wsgi_app = "paas.web.wsgi:application"
bind = [f"unix:{_loaded.run_folder / 'web.sock'}"]
umask = 0o077
worker_class = "gthread"
workers = 1
threads = 256
preload_app = False
timeout = 120
"""Of the worker's own heartbeat, not of a request: a push may wait for hours."""
graceful_timeout = 30
keepalive = 15
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190
accesslog = None
errorlog = "-"
loglevel = "warning"
control_socket_disable = True
