#!/usr/bin/env python3
"""A TLS terminator: tls.py ADDR:PORT CERTIFICATE KEY ADDR:PORT (the second is where the plain text goes)."""

import socket
import socketserver
import ssl
import sys
import threading


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            with context.wrap_socket(self.request, server_side=True) as client:
                with socket.create_connection(address(sys.argv[4])) as server:
                    back = threading.Thread(target=pump, args=(server, client))
                    back.start()
                    pump(client, server)
                    back.join()
        except OSError:
            pass


socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer.daemon_threads = True
socketserver.ThreadingTCPServer(address(sys.argv[1]), Handler).serve_forever()
