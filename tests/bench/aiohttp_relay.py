"""A relay of Jailrun's protocol as one writes it in Python: aiohttp, a dict, nothing else.

    aiohttp_relay.py PORT

It has no limits of its clients, no tokens and no log, all of which would make it slower: it is what
`make bench` holds `jmesh relay` against.
"""

import secrets
import sys
import time
from dataclasses import dataclass

from aiohttp import web

TTL = 3600
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(slots=True)
class Pairing:
    expires: float
    jails: list
    joiner: list | None = None


pairings: dict[str, Pairing] = {}


def expire():
    # A dict keeps the order of its keys, and all pairings live equally long.
    now = time.monotonic()
    while pairings:
        code, pairing = next(iter(pairings.items()))
        if pairing.expires > now:
            break
        del pairings[code]


def new_code():
    while True:
        code = "".join(secrets.choice(ALPHABET) for _ in range(8))
        if code not in pairings:
            return code


async def jails_of(request):
    try:
        jails = (await request.json())["jails"]
    except (ValueError, KeyError, TypeError):
        raise web.HTTPBadRequest(text="no jails")
    if not isinstance(jails, list) or not jails:
        raise web.HTTPBadRequest(text="jails is not a list")
    for jail in jails:
        if (
            not isinstance(jail, dict)
            or not isinstance(jail.get("name"), str)
            or not isinstance(jail.get("ygg_address"), str)
        ):
            raise web.HTTPBadRequest(text="a jail has a name and a ygg_address")
    return [{"name": j["name"], "ygg_address": j["ygg_address"]} for j in jails]


def find(request):
    expire()
    pairing = pairings.get(request.match_info["code"])
    if pairing is None:
        raise web.HTTPNotFound(text="no such pairing")
    return pairing


async def create(request):
    jails = await jails_of(request)
    expire()
    code = new_code()
    pairings[code] = Pairing(time.monotonic() + TTL, jails)
    return web.json_response({"code": code})


async def join(request):
    jails = await jails_of(request)
    pairing = find(request)
    if pairing.joiner is not None:
        raise web.HTTPNotFound(text="no such pairing")
    pairing.joiner = jails
    return web.json_response({"jails": pairing.jails})


async def read(request):
    pairing = find(request)
    if pairing.joiner is None:
        return web.json_response({"joined": False})
    del pairings[request.match_info["code"]]
    return web.json_response({"joined": True, "jails": pairing.joiner})


app = web.Application()
app.add_routes(
    [
        web.post("/pair", create),
        web.post("/pair/{code}", join),
        web.get("/pair/{code}", read),
    ]
)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
