#!/usr/bin/env python3
"""Proves a Stanch bundle with Python's standard library and nothing of Stanch: docs/bundle.md.

verify.py BUNDLE.zip [PUBLIC_KEY.pem]   exit 0: whole; 1: not whole, with the first thing wrong; 2: usage
"""
import base64
import hashlib
import json
import sys
import zipfile
import zlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: an Ed25519 public key, before its 32 bytes


class Fault(Exception):
    pass


def add(p, q):  # RFC 8032, 5.1.4: extended homogeneous coordinates
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    sum_ = (0, 1, 1, 0)
    while n:
        sum_, p, n = add(sum_, p) if n & 1 else sum_, add(p, p), n >> 1
    return sum_


def point(data):  # RFC 8032, 5.1.3
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        raise ValueError("not a point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y % P, 1, x * y % P


def packed(p):
    scale = pow(p[2], -1, P)
    return (p[1] * scale % P | (p[0] * scale % P & 1) << 255).to_bytes(32, "little")


def is_signed(key, message, signature):  # RFC 8032, 5.1.7
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    minus = ORDER - h
    base = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    return packed(add(times(s, base), times(minus, point(key)))) == signature[:32]


def read_key(pem):
    try:
        der = base64.b64decode("".join(pem.split("-----")[2].split()), validate=True)
        point(der[len(SPKI):])
    except (ValueError, IndexError):
        der = b""
    if der[:len(SPKI)] != SPKI or len(der) != 44:
        raise Fault("the key can't be used: it is no Ed25519 public key in PEM")
    return der[len(SPKI):]


def once(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member is there twice")
    return dict(pairs)


def record(text, members, what):
    try:
        value = json.loads(text, object_pairs_hook=once)
        if not isinstance(value, dict) or set(value) != set(members.split()):
            raise ValueError("it has other members")
        return value
    except (ValueError, RecursionError) as error:
        raise Fault(what(error))


def scan(bundle):
    """Hashes every file, a piece at a time, and keeps what has to be read."""
    files, texts = {}, {}
    for entry in bundle.infolist():
        path, digest, kept = entry.filename, hashlib.sha256(), []
        try:
            with bundle.open(entry) as file:
                while piece := file.read(1 << 20):
                    digest.update(piece)
                    if path in ("checkpoint.json", "manifest.json", "chain.jsonl"):
                        kept.append(piece)
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise Fault(f"{path} can't be unpacked: it was changed")
        if path in files:
            raise Fault(f"{path} is there twice")
        files[path], texts[path] = (digest.hexdigest(), entry.file_size), b"".join(kept)
    for path in ("checkpoint.json", "chain.jsonl"):
        if path not in files:
            raise Fault(f"{path} is missing")
        try:
            texts[path].decode()
        except UnicodeDecodeError:
            raise Fault(f"{path} was changed: it is no text")
    return files, texts


def lines(text):
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def walk(chain, head):
    """The custody chain, against the head that was signed."""
    prev, records = "0" * 64, []
    for seq, line in enumerate(chain):
        members = "incident seq at actor action item detail prev"
        it = record(line, members, lambda e: f"chain.jsonl: record {seq} was changed: it can't be read: {e}")
        if it["seq"] != seq:
            raise Fault(f"chain.jsonl: record {seq} is missing or out of order: record {it['seq']} stands in its place")
        if it["prev"] != prev:
            raise Fault(f"chain.jsonl: record {max(seq - 1, 0)} was changed: record {seq} names another hash for it")
        prev = hashlib.sha256(line.encode()).hexdigest()
        records.append(it)
    found, signed = len(records), head["count"]
    if found != signed:
        end = f"record {found} is the first that is missing" if found < signed else f"record {signed} is the first that was added"
        raise Fault(f"chain.jsonl: the chain has {found} records, and {signed} were signed: {end}")
    if prev != head["hash"]:
        raise Fault(f"chain.jsonl: record {max(found - 1, 0)}, the last one, is not the one that was signed")
    return records


def prove(path, pem):
    try:
        files, texts = scan(zipfile.ZipFile(path))
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise Fault(f"it is no bundle: {error}")
    unread = lambda path: lambda _: f"{path} can't be read: it was changed"
    checkpoint = record(texts["checkpoint.json"], "statement signature", unread("checkpoint.json"))
    if pem is not None:
        key, signature = read_key(pem), checkpoint["signature"]
        try:
            is_right = is_signed(key, checkpoint["statement"].encode(), bytes.fromhex(signature))
        except ValueError:
            is_right = False
        if not is_right:
            raise Fault("checkpoint.json is not signed by this key, or was changed")
    members = "format incident at chain manifest anchor"
    statement = record(checkpoint["statement"], members, unread("checkpoint.json"))
    if statement["format"] != 1:
        raise Fault(f"it is no bundle: it is of format {statement['format']}, and this verifier knows 1")
    records = walk(lines(texts["chain.jsonl"].decode()), statement["chain"])
    for it in records:
        if it["incident"] != statement["incident"]:
            raise Fault(f"chain.jsonl: record {it['seq']} was changed: it belongs to another incident")
    for it in records:
        if (item := it["item"]) is None:
            continue
        label = it["detail"].get("label") or it["detail"].get("title") or "an item"
        digest = files.get(f"items/{item}", (None,))[0]
        if digest != item:
            what = "was changed" if digest else "is missing"
            raise Fault(f"record {it['seq']} ({label}): the item {item} {what}")
    if "manifest.json" not in files:
        raise Fault("manifest.json is missing")
    if files["manifest.json"][0] != statement["manifest"]:
        raise Fault("manifest.json was changed")
    manifest = record(texts["manifest.json"], "format incident tool files missing", unread("manifest.json"))["files"]
    for path, entry in sorted(manifest.items()):
        if path not in files:
            raise Fault(f"{path} is missing")
        if files[path] != (entry["sha256"], entry["bytes"]):
            raise Fault(f"{path} was changed")
    for path in sorted(set(files) - set(manifest) - {"manifest.json", "checkpoint.json"}):
        raise Fault(f"{path} was added")
    return f"whole: {len(records)} records, {len(files)} files of {statement['incident']}, exported {statement['at']}"


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    try:
        print(prove(sys.argv[1], open(sys.argv[2]).read() if len(sys.argv) == 3 else None))
        print("signed by the key that you gave" if len(sys.argv) == 3 else "NOT AUTHENTICATED: no key was given")
    except Fault as fault:
        sys.exit(f"NOT WHOLE: {fault}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        sys.exit(f"NOT WHOLE: it has another form than docs/bundle.md says: {error!r}")
