"""`classes`: the class file (.dcc, docs/format.md) of a finished model: a class table and a classifier."""

import hashlib
import pathlib
import struct

import numpy as np
import torch

from checkpoint import read_checkpoint
from class_table import COARSEST, Frozen, train_table, validate_table
from classifier import pyramids, train_classifier, validate_classifier
from clusters import SIDE, clusters_of, load_regions, read_clusters, statistics, write_clusters
from photographs import haar, rotate_colours

MAGIC = b"\x89DCC\r\n\x1a\n"
VERSION = 1
DIGEST = 32


def model_id(path):
    """Of a .dcm file."""
    data = pathlib.Path(path).read_bytes()
    return data[-DIGEST : -DIGEST + 4]


def root_statistics(regions, classes, count):
    """Mean and standard deviation of LL at the coarsest level, by class and colour."""
    # Means first, which are few: colours are rotated alike before and after.
    n, across = len(regions), SIDE >> COARSEST
    blocks = regions.reshape(n, across, 1 << COARSEST, across, 1 << COARSEST, 3)
    x = haar(rotate_colours(blocks.mean((2, 4), dtype=np.float32)))[..., :3].astype(np.float64)
    own = [x[classes == c].reshape(-1, 3) for c in range(count)]
    return np.array([[values.mean(0), values.std(0)] for values in own]).transpose(0, 2, 1)


def packed_table(table):
    """By column a scale, and whole numbers within ±127."""
    scale = np.maximum(np.abs(table).max((0, 1)) / 127, 1e-12).astype("<f4")
    return scale.tobytes() + np.clip(np.rint(table / scale), -127, 127).astype("i1").tobytes()


def packed_layer(layer):
    """Weights [in, out] as a scale and whole numbers within ±32767, then the biases."""
    weights = layer.weight.detach().numpy().T
    scale = np.float32(max(np.abs(weights).max() / 32767, 1e-12))
    return struct.pack("<f", scale) + np.rint(weights / scale).astype("<i2").tobytes() + layer.bias.detach().numpy().astype("<f4").tobytes()


def write_class_file(path, model, table, roots, classifier):
    levels, classes, count = table.shape
    sizes = [layer.out_features for layer in classifier.layers[:3]]
    body = model_id(model) + struct.pack("<6H", levels, classes, count, *sizes)
    body += roots.astype("<f4").tobytes() + packed_table(table)
    body += b"".join(packed_layer(layer) for layer in classifier.layers)
    head = MAGIC + struct.pack("<II", VERSION, len(MAGIC) + 8 + len(body) + DIGEST)
    pathlib.Path(path).write_bytes(head + body + hashlib.sha256(head + body).digest())


def cached(path, make):
    """@param path of what is kept for the next start, or none"""
    if path is not None and pathlib.Path(path).exists():
        return dict(np.load(path))
    made = make()
    if path is not None:
        np.savez(path, **made)
    return made


def classes(options):
    if options.threads:
        torch.set_num_threads(options.threads)

    def regions_with_statistics():
        regions = load_regions(options.data)
        return {"rgb": regions.rgb, "held": regions.held, "values": np.stack([statistics(rgb) for rgb in regions.rgb])}

    found = cached(options.cache, regions_with_statistics)
    rgb, held, values = found["rgb"], found["held"], found["values"]
    if pathlib.Path(options.clusters).exists():
        clusters = read_clusters(options.clusters)
    else:
        clusters = clusters_of(values[~held], options.classes, options.seed)
        write_clusters(options.clusters, clusters, clusters.classes_of(values))
        clusters = read_clusters(options.clusters)
    own = clusters.classes_of(values)
    frozen = Frozen(*read_checkpoint(options.checkpoint))
    table = np.load(options.table) if options.table and pathlib.Path(options.table).exists() else None
    if table is None or options.minutes > 0:
        table = train_table(frozen, rgb[~held], own[~held], clusters, options, table)
    if options.table:
        np.save(options.table, table)
    scale2 = frozen.normalisation.scale2
    classifier = train_classifier(scale2, pyramids(rgb[~held]), own[~held], len(clusters.centres), options)
    roots = root_statistics(rgb[~held], own[~held], len(clusters.centres))
    write_class_file(options.output, options.model, table, roots, classifier)
    for line in validate_table(frozen, table, rgb[held], own[held], options.seed):
        print(line)
    for line in validate_classifier(classifier, pyramids(rgb[held]), own[held], options.seed):
        print(line)
