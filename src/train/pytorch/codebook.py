"""
Tokens of the discrete model: what the 12 coefficients of a position of level 3 are nearest to, of so many centroids that
k-means has found (Lloyd's, begun as k-means++ on a part: Arthur and Vassilvitskii, 2007). Seeded.
"""

from typing import NamedTuple

import torch

from photographs import haar
from recipe import CODE_OF_ONE, COEFFICIENTS, PER_OCTAVE

# The level of tokens, and how many levels finer the crops are cut out: so many places has the grid of its pixels.
LEVEL, FINER = 3, 2
# Vectors that k-means sees, and those that it begins with.
SEEN, FIRST = 200_000, 12_000
ROUNDS = 25
# Of the finest sigma codes none is needed: no centroid is nearer than this.
LEAST_SIGMA = 2.0


class Codebook(NamedTuple):
    """Centroids [count, 12], and sigma codes of what is left of the coefficients, [count, 12]."""

    centres: torch.Tensor
    codes: torch.Tensor

    def tokens_of(self, x):
        """[..., 12] to the nearest centroids' numbers, [...]."""
        return nearest(x.reshape(-1, COEFFICIENTS), self.centres)[0].reshape(x.shape[:-1])


def reduced(u):
    """2×2 means of [batch, h, w, 3]."""
    return 0.25 * (u[:, ::2, ::2] + u[:, 1::2, ::2] + u[:, ::2, 1::2] + u[:, 1::2, 1::2])


def coefficients(photographs, level, tokens, batch):
    """
    Crops of tokens × tokens positions of a level, at any place of the finer grid. A quarter is of one level finer.
    @returns [batch, tokens, tokens, 12], which are inside the photograph, and the patches that they are made of
    """
    patches = photographs.patches(level - FINER, tokens * 2 ** (FINER + 1), batch, torch.full((batch,), 255))
    u = patches.pixels
    for _ in range(FINER):
        u = reduced(u)
    step = 2 ** (FINER + 1)
    return haar(u), patches.inside[:, ::step, ::step], patches


def nearest(points, centres):
    """Number of and squared distance to the nearest centre of each point, by parts that fit the cache."""
    half = 0.5 * centres.square().sum(1)
    found = [(half - part @ centres.T).min(1) for part in points.split(4096)]
    distance = torch.cat([f.values for f in found]) * 2 + points.square().sum(1)
    return torch.cat([f.indices for f in found]), distance.clamp(min=0)


def begun(points, count, generator):
    """k-means++."""
    centres = points[torch.randint(len(points), (1,), generator=generator)]
    distance = (points - centres).square().sum(1)
    while len(centres) < count:
        new = points[torch.multinomial(distance, 1, generator=generator)]
        centres = torch.cat([centres, new])
        distance = distance.minimum((points - new).square().sum(1))
    return centres


def codebook_of(photographs, count, seed):
    """Numbered by how bright they are."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    while sum(map(len, parts)) < SEEN:
        x, inside, _ = coefficients(photographs, LEVEL, 16, 64)
        parts.append(x[inside])
    points = torch.cat(parts)[torch.randperm(SEEN, generator=generator)]
    centres = begun(points[:FIRST], count, generator)
    for _ in range(ROUNDS):
        own, distance = nearest(points, centres)
        counts = torch.zeros(count).index_add_(0, own, torch.ones(len(own)))
        sums = torch.zeros(count, COEFFICIENTS).index_add_(0, own, points)
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centres)
    centres = centres[centres[:, 0].argsort()].contiguous()
    own, distance = nearest(points, centres)
    counts = torch.zeros(count).index_add_(0, own, torch.ones(len(own)))
    errors = (points - centres[own]).square()
    # What few have been seen of has the usual error for a part.
    usual = errors.mean(0)
    sums = torch.zeros(count, COEFFICIENTS).index_add_(0, own, errors)
    deviation = ((sums + 20 * usual) / (counts[:, None] + 20)).sqrt().clamp(min=LEAST_SIGMA)
    codes = (CODE_OF_ONE + PER_OCTAVE * deviation.log2()).round().clamp(1, 254)
    print(f"codebook: squared error {distance.mean() / COEFFICIENTS:.1f} a coefficient, deviation {usual.sqrt().numpy().round(1)}")
    return Codebook(centres, codes)
