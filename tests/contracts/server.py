# ruff: noqa: T201, RET503 - it is an app, not a part of the platform
"""The app that the contract suites deploy: HTTP/1.1 with kept connections, uploads, and a tunnel like a WebSocket's.

It runs inside instances as `python3 -c SOURCE`, so no image has to be built for it.
"""

import base64
import hashlib
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/slow/"):
            time.sleep(float(self.path.rsplit("/", 1)[1]))
        if self.headers.get("Upgrade") == "websocket":
            return self.tunnel()
        if self.path == "/headers":
            return self.answer(str(self.headers))
        self.answer(os.environ.get("VERSION", "") + "\n")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def answer(self, text):
        body = text.encode()
        self.send_response(int(os.environ.get("STATUS", "200")))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def tunnel(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        while data := self.rfile.read1(1000):
            self.wfile.write(data)
        self.close_connection = True

    def log_message(self, *parts):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


def main():
    time.sleep(float(os.environ.get("BOOT", "0")))
    address = (os.environ.get("ADDRESS", "0.0.0.0"), int(os.environ.get("OTHER_PORT", os.environ["PORT"])))
    server = Server(address, Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("listening", os.environ.get("VERSION", ""), flush=True)
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    print("bye", flush=True)
    sys.exit(0)


if __name__ == "__main__":
    main()
