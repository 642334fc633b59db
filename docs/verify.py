#!/usr/bin/env python3
"""Proves a Stanch bundle with Python's standard library and nothing of Stanch: docs/bundle.md.

verify.py BUNDLE.zip [--key PUBLIC_KEY.pem]... [--anchor ANCHORS.jsonl]
exit 0: whole; 1: not whole, with the first thing wrong; 2: usage
"""
import argparse
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


READ = ("checkpoint.json", "manifest.json", "chain.jsonl", "details.jsonl", "keys.jsonl", "anchors.jsonl",
        "audit.jsonl", "approvals.json", "evidence.json")
AUDITED = "seq at actor token verb object outcome status code from reason detail prev"


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


def record(text, members, what, optional=""):
    try:
        value = json.loads(text, object_pairs_hook=once)
        must, may = set(members.split()), set(optional.split())
        if not isinstance(value, dict) or not must <= set(value) <= must | may:
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
                    if path in READ:
                        kept.append(piece)
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise Fault(f"{path} can't be unpacked: it was changed")
        if path in files:
            raise Fault(f"{path} is there twice")
        files[path], texts[path] = (digest.hexdigest(), entry.file_size), b"".join(kept)
    return files, texts


def text(texts, path):
    if path not in texts:
        raise Fault(f"{path} is missing")
    try:
        return texts[path].decode()
    except UnicodeDecodeError:
        raise Fault(f"{path} was changed: it is no text")


def lines(text):
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def walk(chain, incident, head):
    """The custody chain, against the head that was signed."""
    prev, records = "0" * 64, []
    for seq, line in enumerate(chain):
        members = "incident seq at actor action item prev"
        changed = lambda why: Fault(f"chain.jsonl: record {seq} was changed: {why}")
        it = record(line, members, lambda e: f"chain.jsonl: record {seq} was changed: it can't be read: {e}", "detail detail_sha256")
        if ("detail" in it) == ("detail_sha256" in it):
            raise changed("it has other members")
        if it["incident"] != incident:
            raise changed("it belongs to another incident")
        if it["seq"] != seq:
            raise Fault(f"chain.jsonl: record {seq} is missing or out of order: record {it['seq']} stands in its place")
        if it["prev"] != prev:
            raise Fault(f"chain.jsonl: record {max(seq - 1, 0)} was changed: record {seq} names another hash for it")
        prev = it["hash"] = hashlib.sha256(line.encode()).hexdigest()
        records.append(it)
    found, signed = len(records), head["count"]
    if found != signed:
        end = f"record {found} is the first that is missing" if found < signed else f"record {signed} is the first that was added"
        raise Fault(f"chain.jsonl: the chain has {found} records, and {signed} were signed: {end}")
    if prev != head["hash"]:
        raise Fault(f"chain.jsonl: record {max(found - 1, 0)}, the last one, is not the one that was signed")
    return records


def tell(records, details):
    """The texts beside the records, against the hashes that these have."""
    for it in records:
        seq = it["seq"]
        if seq >= len(details):
            raise Fault(f"chain.jsonl: the detail of record {seq} is missing")
        beside = it.get("detail_sha256")
        if hashlib.sha256(details[seq].encode()).hexdigest() != beside if beside else details[seq]:
            raise Fault(f"chain.jsonl: the detail of record {seq} was changed")
        if beside:
            it["detail"] = json.loads(details[seq])
    if len(details) > len(records):
        raise Fault(f"chain.jsonl: the detail of record {len(records)} was added")


def walk_audit(log):
    """Some records of the audit log, in its order: those beside each other name each other."""
    seq, prev = 0, "0" * 64
    for line in log:
        it = record(line, AUDITED, lambda e: f"audit.jsonl: record {seq} was changed: it can't be read: {e}")
        if it["seq"] < seq:
            raise Fault(f"audit.jsonl: record {seq} is missing or out of order: record {it['seq']} stands in its place")
        if it["seq"] == seq and it["prev"] != prev:
            raise Fault(f"audit.jsonl: record {max(seq - 1, 0)} was changed: record {seq} names another hash for it")
        seq, prev = it["seq"] + 1, hashlib.sha256(line.encode()).hexdigest()


def same(one, other):
    """Whether two values of JSON are the same one: 1 is neither true nor 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def given(decision):
    """A decision as it was given, whether or not it was taken back since."""
    return {name: value for name, value in decision.items() if name != "revoked_at"}


def hear(answers, it, detail):
    """Takes in a record about an approval: what each person said last, and whether it still counts."""
    approval, said = detail["approval"], detail.get("decision")
    if isinstance(said, dict):
        answers.pop((approval, said.get("person")), None)
        answers[approval, said.get("person")] = (it["seq"], said)
    for (of, person), (seq, answer) in answers.items():
        if said == "withdrawn":
            ends = person == it["actor"]
        else:
            ends = said == "revoked" and detail.get("of") in [person, *answer.get("on_behalf", [])]
        if ends and of == approval and answer.get("answer") == "approve" and "revoked_at" not in answer:
            answers[of, person] = (seq, {**answer, "revoked_at": it["at"]})


def compare_approvals(approvals, records):
    """What was asked and answered, against the chain in both directions."""
    about = [(it, it.get("detail") or {}) for it in records if it["action"] == "decided"]
    about = [(it, detail) for it, detail in about if isinstance(detail.get("approval"), str)]
    for approval in approvals:
        for decision in approval["decisions"]:
            told = [detail.get("decision") for _, detail in about if detail["approval"] == approval["id"]]
            if not any(same(given(decision), said) for said in told):
                who = f"what {decision['person']} is to have said to {approval['id']}"
                raise Fault(f"approvals.json: {who} is in no record")
    answers, found = {}, {approval["id"]: approval for approval in approvals}
    for it, detail in about:
        hear(answers, it, detail)
        of, seq = detail["approval"], it["seq"]
        if of not in found:
            raise Fault(f"approvals.json: {of} is missing: record {seq} names it")
        for named, shown in ("title", "title"), ("plan", "plan_sha256"):
            if named in detail and not same(detail[named], found[of].get(shown)):
                raise Fault(f"approvals.json: {of} has another {named} than in record {seq}")
    for (of, person), (seq, answer) in answers.items():
        shown = [it for it in found[of]["decisions"] if same(given(it), given(answer))]
        if not shown:
            raise Fault(f"approvals.json: what {person} said to {of} is missing: it is in record {seq}")
        if not same(shown[0], answer):
            raise Fault(f"approvals.json: what {person} said to {of} was taken back, or was not, "
                        "other than the records say")


def compare_evidence(items, records):
    """What the items of evidence are said to be, against the chain in both directions."""
    about = [(it, it.get("detail") or {}) for it in records if it["action"] in ("captured", "deleted_by_retention")]
    about = [(it, detail) for it, detail in about if isinstance(detail.get("evidence"), str)]
    captured = {detail["evidence"]: (it, detail) for it, detail in about if it["action"] == "captured"}
    deleted = {detail["evidence"]: it["at"] for it, detail in about if it["action"] != "captured"}
    for item in items:
        if item["id"] not in captured:
            raise Fault(f"evidence.json: {item['id']} is in no record")
        it, detail = captured[item["id"]]
        said = {"label": detail.get("label"), "sha256": it["item"], "bytes": detail.get("bytes"),
                "captured_at": it["at"], "captured_by": it["actor"], "how": detail.get("how")}
        for name, value in said.items():
            if not same(item.get(name), value):
                raise Fault(f"evidence.json: {item['id']} has another `{name}` than in record {it['seq']}")
        if item.get("deleted_at") != deleted.get(item["id"]):
            raise Fault(f"evidence.json: {item['id']} was deleted, or was not, other than the records say")
    shown = {item["id"] for item in items}
    for of, (it, _) in captured.items():
        if of not in shown:
            raise Fault(f"evidence.json: {of} is missing: it is in record {it['seq']}")


def fingerprint(key):
    return hashlib.sha256(SPKI + key).hexdigest()


def is_right(key, text, signature):
    try:
        return is_signed(key, text.encode(), bytes.fromhex(signature))
    except ValueError:
        return False


def entry(line, fault):
    """An entry of the ledger, with its signature."""
    signed = record(line, "statement signature", fault, "anchored")
    it = record(signed["statement"], "format seq at prev key", fault, "checkpoint handover")
    return it, lambda key: is_right(key, signed["statement"], signed["signature"])


def signers(pems, handovers):
    """The keys that were brought, and those that they handed over to, by their fingerprints."""
    keys = {fingerprint(key): key for key in map(read_key, pems)}
    changed = lambda _: "keys.jsonl can't be read: it was changed"
    for number, line in enumerate(lines(handovers), 1):
        it, signed_by = entry(line, changed)
        to = it.get("handover")
        if to is None:
            raise Fault(changed(None))
        if it["key"] in keys:
            if not signed_by(keys[it["key"]]):
                raise Fault(f"keys.jsonl: line {number} is not signed by the key that it names, or was changed")
            try:
                key = read_key(to["to"])
            except Fault:
                raise Fault(changed(None))
            keys[fingerprint(key)] = key
    return keys


def compare(path, anchors, records, incident, keys):
    """The chain, against the ends that it once had; how many records the last of them vouches for."""
    ends = []
    for number, line in enumerate(lines(anchors), 1):
        if not line.strip():
            continue
        fault = lambda what: Fault(f"{path}: line {number} {what}")
        it, signed_by = entry(line, lambda _: f"{path}: line {number} can't be read")
        point = it.get("checkpoint")
        if point is None or point["incident"] != incident:
            continue
        is_known = it["key"] in keys
        if keys and not is_known and path != "anchors.jsonl":
            raise fault("is signed by a key that was not brought")
        if is_known and not signed_by(keys[it["key"]]):
            raise fault("is not signed by the key that it names, or was changed")
        ends.append((point["chain"]["count"], point["chain"]["hash"], it["at"]))
    same = 0
    for count, digest, at in sorted(ends, key=lambda end: end[0]):
        if count > len(records):
            raise Fault(f"chain.jsonl: record {len(records)} is the first that is missing: {count} were anchored at {at}")
        if count and records[count - 1]["hash"] != digest:
            still = f"; record {same - 1} still is" if same else ""
            raise Fault(f"chain.jsonl: record {count - 1} is not the one that was anchored at {at}{still}")
        same = count
    return same


def prove(path, pems, anchors):
    try:
        files, texts = scan(zipfile.ZipFile(path))
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise Fault(f"it is no bundle: {error}")
    unread = lambda path: lambda _: f"{path} can't be read: it was changed"
    optional = lambda path: text(texts, path) if path in texts else ""
    keys = signers(pems, optional("keys.jsonl"))
    checkpoint = record(text(texts, "checkpoint.json"), "statement signature", unread("checkpoint.json"))
    if keys and not any(is_right(key, checkpoint["statement"], checkpoint["signature"]) for key in keys.values()):
        raise Fault("checkpoint.json is not signed by this key, or was changed")
    members = "format incident at chain manifest anchor"
    statement = record(checkpoint["statement"], members, unread("checkpoint.json"), "broken")
    if statement["format"] != 2:
        raise Fault(f"it is no bundle: it is of format {statement['format']}, and this verifier knows 2")
    if statement.get("broken") is not None:
        raise Fault(f"checkpoint.json: it was broken when it was exported: {statement['broken']}")
    records = walk(lines(text(texts, "chain.jsonl")), statement["incident"], statement["chain"])
    if "manifest.json" not in files:
        raise Fault("manifest.json is missing")
    if files["manifest.json"][0] != statement["manifest"]:
        raise Fault("manifest.json was changed")
    members = "format incident tool redacted files missing"
    manifest = record(text(texts, "manifest.json"), members, unread("manifest.json"))["files"]
    withheld = {path: it["sha256"] for path, it in manifest.items() if it.get("withheld")}
    if "details.jsonl" not in withheld:
        tell(records, lines(text(texts, "details.jsonl")))
    items, deleted = set(), set()
    gone = {it["item"]: it["seq"] for it in records if it["item"] and it["action"] == "deleted_by_retention"}
    for it in records:
        if (item := it["item"]) is None:
            continue
        detail = it.get("detail") or {}
        label = detail.get("label") or detail.get("title") or "an item"
        path = f"items/{item}"
        digest = withheld.get(path) or files.get(path, (None,))[0]
        if not digest and it["seq"] <= gone.get(item, -1):
            deleted.add(item)
        elif digest == item:
            items.add(item)
        else:
            what = "was changed" if digest else "is missing"
            raise Fault(f"record {it['seq']} ({label}): the item {item} {what}")
    here = {path: it for path, it in manifest.items() if path not in withheld}
    for path, it in sorted(here.items()):
        if path not in files:
            raise Fault(f"{path} is missing")
        if files[path] != (it["sha256"], it["bytes"]):
            raise Fault(f"{path} was changed")
    for path in sorted(set(files) - set(here) - {"manifest.json", "checkpoint.json"}):
        raise Fault(f"{path} was added")
    walk_audit(lines(optional("audit.jsonl")))
    if "approvals.json" in texts:
        compare_approvals(json.loads(text(texts, "approvals.json")), records)
    if "evidence.json" in texts:
        compare_evidence(json.loads(text(texts, "evidence.json")), records)
    compare("anchors.jsonl", optional("anchors.jsonl"), records, statement["incident"], keys)
    count = compare("the anchors", anchors or "", records, statement["incident"], keys)
    said = [f"whole: {len(records)} records, {len(items)} items, {len(files)} files of {statement['incident']}, "
            f"exported {statement['at']}"]
    if withheld:
        said.append(f"redacted: {len(withheld)} files are left out, and their hashes are there")
    if deleted:
        said.append(f"deleted by retention: {len(deleted)} items are gone, as the chain says")
    said.append("signed by the key that you gave" if pems else
                "NOT AUTHENTICATED: give the installation's key with --key to prove who made it")
    if anchors is not None and count:
        said.append(f"anchored: {count} of {len(records)} records are those that were laid down outside")
    elif anchors is not None:
        said.append("unanchored: what you gave says nothing of this incident")
    elif statement["anchor"]:
        said.append(f"anchored, as the installation says: fetch {statement['anchor']} and give it with --anchor")
    else:
        said.append("unanchored: nothing outside of the installation vouches for the end of the chain")
    return "\n".join(said)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--anchor")
    args = parser.parse_args()
    try:
        anchors = open(args.anchor).read() if args.anchor else None
        print(prove(args.bundle, [open(path).read() for path in args.key], anchors))
    except Fault as fault:
        sys.exit(f"NOT WHOLE: {fault}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        sys.exit(f"NOT WHOLE: it has another form than docs/bundle.md says: {error!r}")
