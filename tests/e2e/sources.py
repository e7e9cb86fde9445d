"""Small apps, as their authors would have written them."""

from __future__ import annotations

COUNTER = """\
import http.server, os, sys, threading, time

VERSION = "one"

def count():
    n = 0
    while True:
        n += 1
        print(f"{VERSION} line {n}", flush=True)
        time.sleep(0.02)

class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"{VERSION} {os.environ.get('GREETING', '')}".strip().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

if os.environ.get("COUNT"):
    threading.Thread(target=count, daemon=True).start()
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"""

PYTHON = {
    "requirements.txt": "",
    "app.py": COUNTER,
    "Procfile": "web: python app.py\nworker: sleep 1000\n",
}

SLOW_BUILD = {
    **PYTHON,
    ".s2i/bin/assemble": (
        '#!/bin/bash\nfor i in $(seq 1 40); do echo "step $i"; sleep 0.25; done\nexec /usr/libexec/s2i/assemble\n'
    ),
}
"""A build of ten seconds that tells forty numbered lines."""
