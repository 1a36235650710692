#!/usr/bin/env python3
"""Something before the relay that is not well: front.py MODE [WORD...], on 0.0.0.0.

  hang PORT             takes connections and never answers
  error PORT            503 to everything, with a hostile body
  redirect PORT TARGET  302 to TARGET
"""

import http.server
import socketserver
import sys
import time


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target = None
    mode = ""

    def log_message(self, *args):
        sys.stderr.write("%s\n" % self.requestline)
        sys.stderr.flush()

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.mode == "error":
            self.answer(503, b"\x1b[31mdown for\x07 maintenance\nsecond line\n")
        else:
            self.answer(302, b"", [("Location", f"http://{self.target}{self.path}")])

    do_GET = do_POST = handle_any


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def main():
    mode, port, *words = sys.argv[1:]
    Front.mode = mode
    if mode == "hang":
        server = socketserver.ThreadingTCPServer(("", int(port)), lambda *args: time.sleep(3600))
        server.daemon_threads = True
        server.serve_forever()
    server = Server(("", int(port)), Front)
    if words:
        Front.target = words.pop(0)
    server.serve_forever()


main()
