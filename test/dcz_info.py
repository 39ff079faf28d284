#!/usr/bin/env python3
"""`dcomp info --json`, written from docs/format.md alone: the document is enough to read a file's structure.

Usage: dcz_info.py FILE...   prints a JSON list: for each file what `info` says, or null where it is no file of version 1.
"""
import json
import math
import struct
import sys
import zlib

MAGIC = bytes.fromhex("8d44435a")
TOP = 168
KINDS = {1: "grey", 2: "grey+alpha", 3: "RGB", 4: "RGBA"}
DEPTHS = {0: 8, 1: 16, 2: 4, 3: 2, 4: 1}
PARTS = {1: "icc", 2: "orientation", 3: "density", 4: "exif", 5: "xmp", 6: "text", 7: "pixelHash", 8: "cicp", 9: "gamma",
         10: "chromaticities", 11: "iptc", 12: "modified", 128: "regions", 129: "exact"}
MAX_PART = MAX_SEGMENT = 2**24


class Refused(Exception):
    pass


def varint(data, at):
    """Section 1. Returns (value, end), or None where the bytes end in it or it is too long."""
    value = 0
    for i in range(5):
        if at + i >= len(data):
            return None
        value |= (data[at + i] & 127) << (7 * i)
        if data[at + i] < 128:
            return value, at + i + 1
    return None


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def exp2(x):
    """Section 9."""
    k = math.floor(x + 0.5)
    t = (x - k) * 0.6931471805599453
    s = 1.0
    for i in range(18, 0, -1):
        s = 1 + (t * s) / i
    return math.ldexp(s, k)


def sigma(code):
    """Section 3; rounded to thousandths."""
    return math.floor(exp2((code - 80) / 16) * 1000 + 0.5) / 1000


def extent(data, at, before, behind):
    """Type (before), varint length, fields (behind), checksum, payload. None where the file ends before the payload."""
    length = varint(data, at + before)
    if length is None or length[1] + behind + 4 > len(data):
        return None
    crc = length[1] + behind
    payload = crc + 4
    there = min(length[0], len(data) - payload)
    return {"fields": data[at:crc], "fieldsEnd": crc, "crc": u32(data, crc), "payload": payload, "length": length[0], "there": there, "cut": there < length[0]}


def state(e, data, covered=True):
    if e["cut"]:
        return "cut"
    return "complete" if holds(e, data, e["fields"] if covered else b"") else "damaged"


def holds(e, data, before):
    return zlib.crc32(before + data[e["payload"] : e["payload"] + e["there"]]) == e["crc"]


def read_header(data):
    if data[:4] != MAGIC or len(data) < 6 or data[4] != 1:
        raise Refused
    plain = bool(data[5] & 128)
    width = varint(data, 6 if plain else 10)
    height = width and varint(data, width[1])
    if not height or height[1] + (4 if plain else 8) > len(data):
        raise Refused
    end = height[1]
    if not plain:
        flags = data[end + 3]
        end += 4 + (7 if flags & 128 else 3 if flags & 64 else 0) + (1 if flags & 32 else 0)
        if end + 4 > len(data):
            raise Refused
    if zlib.crc32(data[:end]) != u32(data, end):
        raise Refused
    kind = data[5]
    channels, depth = kind & 7, DEPTHS.get(kind >> 4 & 7)
    if channels not in KINDS or depth is None or (depth < 8 and channels != 1):
        raise Refused
    w, h = width[0], height[0]
    if not (1 <= w <= 65535 and 1 <= h <= 65535 and w * h <= 2**28):
        raise Refused
    if plain:
        return w, h, channels, depth, bool(kind & 8), None, None, None, None, None, None, None, None, None, (False, False), end + 4
    coarse, fine, last, nu = data[height[1] : height[1] + 4]
    straight, settled, at_once, nu = bool(nu & 128), nu & 192 == 64, bool(nu & 64), nu & ~224
    coarse_views, views, coarse = coarse // 64, coarse // 16 % 4, coarse % 16 + 1
    fine, for_eye, tail = fine % 16 or 16, bool(fine & 16), fine // 32
    if not (views <= 2 and coarse_views <= 2 and 64 <= last <= (240 if straight else TOP) and 8 <= nu <= 16):
        raise Refused
    if straight:
        first, *ahead = data[height[1] + 4 : height[1] + 9]
        if max(ahead) > 63:
            raise Refused
        straight = (first, ahead, at_once)
    masking = data[height[1] + (10 if straight else 6)] if straight or settled else 0
    last_level = masking // 16
    if last_level > (3 if settled else 0):
        raise Refused
    return w, h, channels, depth, bool(kind & 8), data[6:10].hex(), views, coarse_views, for_eye, coarse, fine, tail, (last, last_level), nu, (settled, straight), end + 4


def coded_size(w, h):
    """Section 2: thin pictures are folded."""
    short, long = min(w, h), max(w, h)
    strips = math.floor(math.sqrt(long / short) + 0.5)
    if short > 8 or strips < 3:
        return w, h
    return (-(-long // strips), strips * short) if w > h else (strips * short, -(-long // strips))


def units_of(w, h, coarse, fine, tail, last, settled):
    """Steps, each as often as it has groups: section 4."""
    for step in steps_of(w, h, coarse, fine, tail, last, settled):
        scale = 2 ** (step[0] + 1)
        columns, rows = ((-(-side // scale) + 383) // 384 for side in coded_size(w, h))
        for _ in range(columns * rows):
            yield step


def steps_of(w, h, coarse, fine, tail, last, settled):
    """Sections 2 (number of levels) and 3 (steps)."""
    w, h = coded_size(w, h)
    settled, straight = settled
    last, last_level = last
    levels = 0
    while levels == 0 or max(w, h) > 8:
        w, h, levels = (w + 1) // 2, (h + 1) // 2, levels + 1
    if straight:
        return straight_steps(levels, fine, tail, last, *straight)
    steps = [(levels - 1, "root", TOP, TOP)]
    finest = min(last_level, levels - 1)
    for level in range(levels - 1, finest - 1, -1):
        # The part tells two steps apart that are otherwise equal.
        steps += [(level, "enter", TOP, TOP, part) for part in (("first", "rest") if level < levels - 2 else (None,))]
        end = last if level == finest else TOP - 16
        width, before_end = (coarse, end) if level > 0 else (fine, min(TOP, last + tail))
        code = TOP
        while code != end:
            to = max(before_end, code - width) if code > before_end else end
            steps.append((level, "refine", code, to))
            code = to
    return steps + ([(finest, "settle", last, last)] if settled else [])


def straight_steps(levels, fine, tail, last, first, ahead, at_once):
    codes = [first] + [max(48, first - 16 * k - ahead[min(k, 4) - 1]) for k in range(1, levels)]
    steps = [(levels - 1, "root", TOP, codes[-1])]
    for level in range(levels - 1, -1, -1):
        before = codes[level + 1] + 16 if level < levels - 1 else codes[level]
        parts = (None,) if level == 0 and at_once else ("first", "rest")
        steps += [(level, "enter", before, codes[level], part) for part in parts]
    code, before_end = first, min(first, last + tail)
    while code != last:
        to = max(before_end, code - fine) if code > before_end else last
        steps.append((0, "refine", code, to))
        code = to
    return steps


def info(data):
    w, h, channels, depth, has_parts, model, views, coarse_views, for_eye, coarse, fine, tail, last, nu, settled, at = read_header(data)
    plain = model is None
    result = {
        "width": w,
        "height": h,
        "channels": channels,
        "depth": depth,
        "kind": KINDS[channels],
        "formatVersion": 1,
        "form": "plain" if plain else "diffusion",
        "maxError": 0 if plain else None,
        "modelId": model,
        "byteLength": len(data),
        "bitsPerPixel": 8 * len(data) / (w * h),
        "trellisBits": nu,
        "schedule": None if plain else {"coarseStepsPerOctave": 16 / coarse, "fineStepsPerOctave": 16 / fine, "lastLevel": last[1], "lastSigma": sigma(last[0]), "views": 2**views, "coarseViews": 2**coarse_views, "forEye": for_eye},
        "parts": [],
        "alpha": None,
        "segments": [],
        "truncated": True,
        "trailing": 0,
    }
    types = set()
    while has_parts:
        if at >= len(data):
            return result
        if data[at] == 0:
            at += 1
            break
        e = extent(data, at, 1, 0)
        if e is None:
            return result
        kind, there = data[at], e["there"]
        part = {"type": kind, "name": PARTS.get(kind, "unknown"), "offset": at, "byteLength": there}
        too_long = e["length"] > MAX_PART
        part["state"] = "damaged" if too_long else state(e, data)
        if part["state"] == "complete" and kind >= 128 and kind not in PARTS:
            raise Refused
        if part["state"] == "complete" and kind in types:
            part["state"] = "damaged"
        if part["state"] == "complete":
            types.add(kind)
        if kind == 129 and not any(before["type"] == 129 for before in result["parts"]) and part["state"] != "cut":
            payload = data[e["payload"] : e["payload"] + there]
            value = varint(payload, 0)
            good = part["state"] == "complete" and value is not None and value[0] <= 255 and value[1] == there
            result["maxError"] = value[0] if good else None
        result["parts"].append(part)
        if too_long:
            result["truncated"] = False
        if too_long or e["cut"]:
            return result
        at = e["payload"] + there
    if channels in (2, 4):
        e = extent(data, at, 0, 0)
        if e is None:
            return result
        result["alpha"] = {"byteLength": e["there"], "state": state(e, data, covered=False)}
        at = e["payload"] + e["there"]
        if e["cut"]:
            return result
    units = [] if plain else list(units_of(w, h, coarse, fine, tail, last, settled))
    most = h if plain else len(units) + (h if 129 in types else 0)
    done = 0
    ended = False
    while at < len(data) and not ended:
        if not any(data[at:]):
            result["trailing"] = len(data) - at
            return result
        e = extent(data, at, 0, 2)
        if e is None:
            return result
        count, rate = data[e["fieldsEnd"] - 2 : e["fieldsEnd"]]
        there = "damaged" if count == 0 or done + count > most or e["length"] > MAX_SEGMENT else "cut" if e["cut"] else "complete"
        impossible = there == "damaged"
        if there == "complete":
            ended = holds(e, data, struct.pack("<I", done + 2**31) + e["fields"])
            if not ended and not holds(e, data, struct.pack("<I", done) + e["fields"]):
                there = "damaged"
        mine = units[done : done + count]
        done += count
        distinct = [step for i, step in enumerate(mine) if i == 0 or step != mine[i - 1]]
        end = e["payload"] + e["there"]
        result["segments"].append(
            {
                "offset": at,
                "byteLength": end - at,
                "steps": [{"level": level, "kind": kind, "sigmaBefore": sigma(before), "sigma": sigma(to)} for level, kind, before, to, *_ in distinct],
                "units": len(mine) if mine else count,
                "level": mine[-1][0] if mine else 0,
                "sigma": 0 if plain or (not mine and done >= len(units)) else sigma(mine[-1][3] if mine else TOP),
                "bits": 8 * e["there"],
                "idealBits": 8 * e["there"] if plain else math.floor(8 * e["there"] * rate / 128 + 0.5),
                "state": there,
            }
        )
        at = end
        if impossible:
            result["truncated"] = False
        if impossible or there == "cut":
            return result
    damaged = result["segments"] and result["segments"][-1]["state"] == "damaged"
    result["truncated"] = not ended and not damaged
    result["trailing"] = len(data) - at
    return result


def main():
    results = []
    for name in sys.argv[1:]:
        with open(name, "rb") as file:
            try:
                results.append(info(file.read()))
            except Refused:
                results.append(None)
    json.dump(results, sys.stdout)


main()
