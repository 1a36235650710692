#!/usr/bin/env python3
"""Reads schema/sealed-pairing.md's test vectors (standard input) and checks each by what that document says, with
nothing of jmesh's: XChaCha20-Poly1305, base 32 and Ed25519 are here, BLAKE2b is Python's."""

import base64
import hashlib
import ipaddress
import struct
import sys

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


# --- XChaCha20-Poly1305 (RFC 8439, draft-irtf-cfrg-xchacha) ----------------------------------------------


def rotated(x, n):
    return (x << n | x >> (32 - n)) & 0xFFFFFFFF


def quarter(s, a, b, c, d):
    for left, right, turn in ((a, b, 16), (c, d, 12), (a, b, 8), (c, d, 7)):
        s[left] = (s[left] + s[right]) & 0xFFFFFFFF
        other = d if left == a else b
        s[other] = rotated(s[other] ^ s[left], turn)


def rounds(state):
    s = list(state)
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):  # fmt: skip
            quarter(s, a, b, c, d)
    return s


CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


def block(key, counter, nonce):
    state = CONSTANTS + struct.unpack("<8I", key) + (counter,) + struct.unpack("<3I", nonce)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(rounds(state), state)))


def hchacha(key, nonce):
    s = rounds(CONSTANTS + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))
    return struct.pack("<8I", *(s[:4] + s[12:]))


def poly1305(key, text):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(text), 16):
        total = (total + int.from_bytes(text[at : at + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return ((total + int.from_bytes(key[16:], "little")) & ((1 << 128) - 1)).to_bytes(16, "little")


def padded(text):
    return text + bytes(-len(text) % 16)


def open_box(key, nonce, box):
    key, nonce = hchacha(key, nonce[:16]), bytes(4) + nonce[16:]
    text, tag = box[:-16], box[-16:]
    mac = poly1305(block(key, 0, nonce)[:32], padded(text) + struct.pack("<QQ", 0, len(text)))
    if mac != tag:
        raise ValueError("it does not open")
    stream = b"".join(block(key, 1 + i, nonce) for i in range((len(text) + 63) // 64))
    return bytes(a ^ b for a, b in zip(text, stream))


# --- Ed25519 (RFC 8032) ------------------------------------------------------------------------------------

P = (1 << 255) - 19
L = (1 << 252) + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def recover(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        raise ValueError("no point")
    return P - x if x & 1 != sign else x


def point(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        raise ValueError("no point")
    x = recover(y, sign)
    return x, y, 1, x * y % P


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    g, h, i, j = f - e, d - c, d + c, f + e
    return g * h % P, i * j % P, h * i % P, g * j % P


def times(n, a):
    out = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = add(out, a)
        a = add(a, a)
        n >>= 1
    return out


BASE_Y = 4 * pow(5, -1, P) % P
BASE = point(BASE_Y.to_bytes(32, "little"))


def signed(key, text, signature):
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % L
    left, right = times(s, BASE), add(point(signature[:32]), times(h, point(key)))
    same = (left[0] * right[2] - right[0] * left[2]) % P == 0 == (left[1] * right[2] - right[1] * left[2]) % P
    return s < L and same


def public_key(seed):
    scalar = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    scalar = scalar & ((1 << 254) - 8) | 1 << 254
    x, y, z, _ = times(scalar, BASE)
    x, y = x * pow(z, -1, P) % P, y * pow(z, -1, P) % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


# --- Yggdrasil, base 32 and the document -------------------------------------------------------------------


def address(key):
    bits = "".join("%d" % (~byte >> shift & 1) for byte in key for shift in range(7, -1, -1))
    ones = len(bits) - len(bits.lstrip("1"))
    rest = bits[ones + 1 :][:112]
    return ipaddress.IPv6Address(bytes([2, ones]) + int(rest.ljust(112, "0"), 2).to_bytes(14, "big"))


def read_secret(text):
    digits = [ALPHABET.index(c) for c in text.replace("-", "")]
    check = 0
    for digit in digits:
        check <<= 1
        check = (check ^ 0b100101 if check & 32 else check) ^ digit
    if len(digits) != 27 or check != 0:
        raise ValueError("the check digit is wrong")
    number = 0
    for digit in digits[:-1]:
        number = number << 5 | digit
    return number.to_bytes(16, "big")


def keyed(secret, text):
    return hashlib.blake2b(text, key=secret, digest_size=32).digest()


def decoded(secret, code, role, sealed):
    raw = base64.b64decode(sealed, validate=True)
    key = keyed(secret, b"jmesh sealed pairing 1\n%s\n%s\n" % (role, code))
    plain = open_box(key, raw[:24], raw[24:])
    at = 0

    def take(n):
        nonlocal at
        if at + n > len(plain):
            raise ValueError("cut short")
        at += n
        return plain[at - n : at]

    if take(1) != b"\1":
        raise ValueError("another format")
    made = int.from_bytes(take(8), "big")
    name = take(take(1)[0])
    jails = [(take(take(1)[0]), take(32), take(64)) for _ in range(int.from_bytes(take(2), "big"))]
    if at != len(plain):
        raise ValueError("more behind")
    lines = b"".join(b"%s %s\n" % (jail, key.hex().encode()) for jail, key, _ in jails)
    text = b"%s\n%s\n%s\n%d\n%s" % (role, code, name, made, lines)
    statement = b"jmesh pairing 1 " + keyed(secret, text).hex().encode()
    for jail, key, signature in jails:
        if not signed(key, statement, signature):
            raise ValueError("%s does not hold its address" % jail.decode())
    return {"name": name, "made": made, "jails": jails, "statement": statement, "nonce": raw[:24]}


def refuses(secret, code, role, sealed):
    try:
        decoded(secret, code, role, sealed)
    except ValueError:
        return
    raise SystemExit("what must be refused was taken")


def same(what, wanted, got):
    if wanted != got:
        raise SystemExit("%s: %r in the vectors, %r by the document" % (what, wanted, got))


def check_message(secret, code, lines):
    fields = [line.split(" ", 1) for line in lines]
    one = dict(fields)
    role = one["role"].encode()
    got = decoded(secret, code, role, one["sealed"])
    same("name", one["name"].encode(), got["name"])
    same("made", int(one["made"]), got["made"])
    same("statement", one["statement"].encode(), got["statement"])
    same("nonce", bytes.fromhex(one["nonce"]), got["nonce"])
    for field, value in (
        ("jail", [jail.decode() for jail, _, _ in got["jails"]]),
        ("key", [key.hex() for _, key, _ in got["jails"]]),
        ("signature", [signature.hex() for _, _, signature in got["jails"]]),
        ("address", [str(address(key)) for _, key, _ in got["jails"]]),
    ):
        same(field, [v for f, v in fields if f == field], value)
    same("key", [v for f, v in fields if f == "key"],
         [public_key(bytes.fromhex(v)).hex() for f, v in fields if f == "seed"])  # fmt: skip
    refuses(secret, code, b"join" if role == b"create" else b"create", one["sealed"])
    refuses(secret, code + b"x", role, one["sealed"])
    refuses(secret[::-1], code, role, one["sealed"])
    raw = bytearray(base64.b64decode(one["sealed"]))
    for at in range(0, len(raw), 7):
        raw[at] ^= 1
        refuses(secret, code, role, base64.b64encode(raw))
        raw[at] ^= 1


def main():
    text = sys.stdin.read()
    head, *messages = text.split("```\n")[-2].strip().split("\n\n")
    one = dict(line.split(" ", 1) for line in head.split("\n"))
    secret = bytes.fromhex(one["secret"])
    same("written", secret, read_secret(one["written"]))
    draws = keyed(secret, b"jmesh rendezvous 1\nlaptop\noffice\n")
    numbers = [int.from_bytes(draws[at : at + 8], "big") for at in range(0, 32, 8)]
    with open(sys.argv[1], encoding="ascii") as file:
        words = [word for line in file for word in line.split('"')[1::2] if word.isalpha()]
    same("words", 2462, len(words))
    meeting = "-".join(["%d" % (10 + numbers[0] % 90)] + [words[n % 2462] for n in numbers[1:]])
    same("meeting", one["meeting"], meeting)
    same("messages", 2, len(messages))
    for message in messages:
        check_message(secret, one["code"].encode(), message.split("\n"))


main()
