"""
Classes of pictures: regions of the training photographs, by simple statistics of each, in clusters (Lloyd's k-means,
begun as k-means++: Arthur and Vassilvitskii, 2007). Seeded, in doubles.
"""

import concurrent.futures
import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image

from photographs import haar, halve, listed, rotate_colours

# Side of a region in pixels, and how far the next one is: whole pictures of 256×256 are what is drawn.
SIDE, STRIDE = 256, 192
# Levels of detail that are looked at, and the level whose pixels tell how much colours vary.
SPECTRUM, VARYING = 5, 3
NAMES = (
    ["luma", "redGreen", "blueYellow", "lumaSpread", "chromaSpread"]
    + [f"detail{k}" for k in range(SPECTRUM)]
    + ["upright1", "upright3", "diagonal1"]
)
# Weights of the standardised statistics: what colour a picture has is what people see first.
WEIGHTS = np.array([1.5, 1.5, 1.5] + [1.0] * (len(NAMES) - 3))
ROUNDS = 100


class Regions(NamedTuple):
    """RGB, [n, 256, 256, 3], and whether each is of a photograph that is held back."""

    rgb: np.ndarray
    held: np.ndarray


def regions_of(path):
    """Of the photograph as it is, and at half its size."""
    image = Image.open(path).convert("RGB")
    found = []
    for scale in (1, 2):
        width, height = image.width // scale, image.height // scale
        if min(width, height) < SIDE:
            break
        rgb = np.asarray(image if scale == 1 else image.resize((width, height), Image.BOX))
        places = lambda length: range((length - SIDE) % STRIDE // 2, length - SIDE + 1, STRIDE)
        found += [rgb[y : y + SIDE, x : x + SIDE] for y in places(height) for x in places(width)]
    return found


def load_regions(folders):
    """Those of held back photographs are as in `photographs.load`, of every folder."""
    paths, held = listed(folders)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(regions_of, paths))
    return Regions(
        np.stack([region for part in parts for region in part]),
        np.array([flag for flag, part in zip(held, parts) for _ in part]),
    )


def statistics(rgb):
    """Those of NAMES of one picture of 256×256 pixels."""
    return statistics_of(rotate_colours(rgb))


def statistics_of(u):
    """The same by its rotated colours."""
    energies, values = [], [*u.mean((0, 1), dtype=np.float64)]
    spread = []
    for level in range(SPECTRUM):
        if level == VARYING:
            spread = np.log2(u.std((0, 1), dtype=np.float64) + 1)
        luma = np.square(haar(u)[..., 3::3].astype(np.float64)).mean((0, 1))
        energies.append(luma)
        u = halve(u)
    values += [spread[0], (spread[1] + spread[2]) / 2]
    values += [np.log2(e.sum() + 1) / 2 for e in energies]
    upright = lambda e: (e[0] - e[1]) / (e[0] + e[1] + 1)
    return np.array(values + [upright(energies[1]), upright(energies[3]), energies[1][2] / (energies[1].sum() + 1)])


class Clusters(NamedTuple):
    """What a class is: the nearest centre, by weighted statistics whose mean is 0 and standard deviation 1."""

    mean: np.ndarray
    deviation: np.ndarray
    centres: np.ndarray

    def place(self, values):
        return (values - self.mean) / self.deviation * WEIGHTS

    def classes_of(self, values):
        return distances(self.place(values), self.centres).argmin(1)


def distances(points, centres):
    return np.square(points[:, None] - centres[None]).sum(2)


def clusters_of(values, count, seed):
    """Numbered by how bright they are."""
    clusters = Clusters(values.mean(0), values.std(0), np.empty((0, len(NAMES))))
    points = clusters.place(values)
    rng = np.random.default_rng(seed)
    centres = points[rng.integers(len(points))][None]
    while len(centres) < count:
        nearest = distances(points, centres).min(1)
        centres = np.concatenate([centres, points[rng.choice(len(points), p=nearest / nearest.sum())][None]])
    for _ in range(ROUNDS):
        own = distances(points, centres).argmin(1)
        means = [points[own == c].mean(0) if (own == c).any() else centres[c] for c in range(count)]
        if np.array_equal(means, centres):
            break
        centres = np.array(means)
    return clusters._replace(centres=centres[np.argsort(centres[:, 0])])


def write_clusters(path, clusters, classes):
    """A table: by class its share of the regions, and the centre in the statistics' own units."""
    shares = np.bincount(classes, minlength=len(clusters.centres)) / len(classes)
    natural = clusters.centres / WEIGHTS * clusters.deviation + clusters.mean
    rows = [["class", "share", *NAMES]]
    rows += [[str(c), f"{share:.4f}", *(f"{v:.4f}" for v in natural[c])] for c, share in enumerate(shares)]
    rows += [["mean", "", *(f"{v:.4f}" for v in clusters.mean)], ["deviation", "", *(f"{v:.4f}" for v in clusters.deviation)]]
    pathlib.Path(path).write_text("".join(",".join(row) + "\n" for row in rows))


def read_clusters(path):
    rows = [line.split(",") for line in pathlib.Path(path).read_text().splitlines()[1:]]
    numbers = np.array([[float(v) for v in row[2:]] for row in rows])
    centres, mean, deviation = numbers[:-2], numbers[-2], numbers[-1]
    return Clusters(mean, deviation, (centres - mean) / deviation * WEIGHTS)
