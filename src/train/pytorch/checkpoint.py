"""Checkpoints of `dcomp train` (src/train/checkpoint.ts): a JSON header, then flat arrays of the trained numbers."""

import json
import os
import pathlib

import numpy as np

MAGIC = b"dcomp-checkpoint-2\n"
ARRAYS = ("parameters", "average", "firstMoment", "secondMoment")


def read_checkpoint(path):
    """
    The header, and the four arrays as float32. One that holds the averaged weights alone goes on from them, with
    moments of zero.
    """
    data = pathlib.Path(path).read_bytes()
    if not data.startswith(MAGIC):
        raise SystemExit(f"{path}: not a checkpoint of dcomp train")
    end = data.index(b"\n", len(MAGIC))
    header = json.loads(data[len(MAGIC) : end])
    width = 2 if header["compact"] else 4
    names = header["arrays"]
    n = (len(data) - end - 1) // (len(names) * width)
    arrays = {}
    for i, name in enumerate(names):
        part = data[end + 1 + i * n * width : end + 1 + (i + 1) * n * width]
        if header["compact"]:
            part = (np.frombuffer(part, "<u2").astype("<u4") << 16).tobytes()
        arrays[name] = np.frombuffer(part, "<f4").copy()
    arrays.setdefault("parameters", arrays["average"].copy())
    if "secondMoment" not in arrays:
        header["moments"] = 0
    for name in ("firstMoment", "secondMoment"):
        arrays.setdefault(name, np.zeros_like(arrays["average"]))
    return header, arrays


def write_checkpoint(path, header, arrays):
    """Written beside the file first, so that a broken-off write leaves the last one whole."""
    temporary = f"{path}.tmp"
    text = json.dumps({**header, "arrays": ARRAYS, "compact": False}, separators=(",", ":"))
    with open(temporary, "wb") as f:
        f.write(MAGIC + text.encode() + b"\n")
        for name in ARRAYS:
            f.write(arrays[name].astype("<f4").tobytes())
    os.replace(temporary, path)
