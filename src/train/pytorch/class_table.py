"""
A class table: for every class and level, numbers that are added to the gammas and betas of a finished network. Nothing
of the network itself is changed; of no class nothing is added, so that is the network as it was, exactly.
"""

import time

import numpy as np
import torch

from clusters import SIDE
from examples import Normalisation, examples_of, features_of
from network import Network, example_losses
from observations import parts_of, sigma_of
from photographs import haar, rotate_colours
from recipe import COEFFICIENTS, EXACT, LEVELS, PER_OCTAVE, TOP, UNKNOWN

# As samplers enter a level, and where they end at level 0 and at coarser ones (src/restore/walk.ts).
ENTRY = TOP + PER_OCTAVE // 2
END = [TOP - 6 * PER_OCTAVE, *[ENTRY - PER_OCTAVE] * (LEVELS - 1)]
# Side of a crop in pixels at its level, and how many make a batch; the coarsest levels of a drawn picture share a row.
CROPS = [(64, 12), (64, 12), (64, 12), (32, 32), (16, 48)]
COARSEST = 6
# Odds of the levels, and of a level being entered.
SHARE, ENTERED = [0.25, 0.2, 0.15, 0.15, 0.25], 0.3
# Numbers that a class is before a level makes its shifts of them: statistics of its centre, and some that are free.
FREE = 16
# The grid of the network is a multiple of this.
MULTIPLE = 8


def reduced(u, level):
    """2×2 means, `level` times; [n, h, w, 3]."""
    for _ in range(level):
        u = 0.25 * (u[:, ::2, ::2] + u[:, 1::2, ::2] + u[:, ::2, 1::2] + u[:, 1::2, 1::2])
    return u


class Frozen:
    """A network that is not trained."""

    def __init__(self, header, arrays):
        device = torch.device("cpu")
        self.network = Network(header["architecture"])
        self.conditioning = header["architecture"]["conditioning"]
        self.normalisation = Normalisation(header["statistics"], device)
        self.parameters = self.network.split(arrays["average"], device)

    def loss(self, level, x, inside, codes, shift):
        """KL in nats by example, of a level that is entered or refined."""
        known = (codes != UNKNOWN) & (codes != EXACT)
        z = torch.where(known, x + torch.where(known, sigma_of(codes), 0) * torch.randn_like(x), 0)
        enter = ((codes == UNKNOWN) & inside[..., None]).flatten(1).any(1)
        sigma = torch.where(enter, float(ENTRY), codes[:, 0, 0, 0])
        inputs, *rest = examples_of(self.normalisation, level, x, inside, codes, z, sigma, enter)
        features = features_of(self.conditioning, level, sigma, enter)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        output = self.network.forward(self.parameters, inputs, features, torch.float32, shift)
        return example_losses(output, *rest)[0]


def draw(regions, chosen, level, rng):
    """Coefficients of crops at a level, padded to the network's grid, which of them are inside, and codes."""
    depth = level if level < LEVELS - 1 else int(rng.integers(LEVELS - 1, COARSEST + 1))
    side = min(CROPS[level][0], SIDE >> depth)
    rgb = regions[chosen]
    span = side << depth
    x0, y0 = (int(rng.integers((SIDE - span) // 2 + 1)) * 2 for _ in range(2))
    u = rotate_colours(rgb[:, y0 : y0 + span, x0 : x0 + span])
    if rng.random() < 0.5:
        u = u[:, :, ::-1]
    x = haar(reduced(torch.from_numpy(np.ascontiguousarray(u)), depth))
    n, grid = len(x), x.shape[1]
    pad = -grid % MULTIPLE
    x = torch.nn.functional.pad(x, (0, 0, 0, pad, 0, pad))
    inside = torch.zeros(x.shape[:3], dtype=torch.bool)
    inside[:, :grid, :grid] = True
    code = torch.from_numpy(rng.integers(END[level], ENTRY + 1, n)).float()
    enter = torch.from_numpy(rng.random(n) < ENTERED)
    half = torch.from_numpy(rng.random(n) < 0.5)
    code = torch.where(enter, float(ENTRY), code)[:, None, None, None].expand(x.shape)
    detail = torch.arange(COEFFICIENTS) >= 3
    each = lambda v: v[:, None, None, None]
    unknown = each(enter) & detail & ~(each(half) & (parts_of(x, 2) == 0))
    codes = torch.where(unknown | ~inside[..., None], float(UNKNOWN), code)
    return x, inside, codes


class Table(torch.nn.Module):
    def __init__(self, centres, length, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        free = 0.5 * torch.randn(len(centres), FREE, generator=generator)
        self.embedding = torch.nn.Parameter(torch.cat([torch.from_numpy(centres).float(), free], 1))
        width = self.embedding.shape[1]
        self.by_level = torch.nn.Parameter(torch.zeros(LEVELS, width, length))
        self.common = torch.nn.Parameter(torch.zeros(width, length))

    def shift(self, level, classes):
        return self.embedding[classes] @ (self.common + self.by_level[level])

    def go_on_from(self, baked):
        """As near as the embedding comes to it."""
        with torch.no_grad():
            self.by_level.copy_(torch.linalg.pinv(self.embedding) @ torch.from_numpy(baked))

    def baked(self):
        """[levels, classes, gammas and betas]"""
        with torch.no_grad():
            return (self.embedding @ (self.common + self.by_level)).numpy()


def train_table(frozen, regions, classes, clusters, options, before=None):
    """
    @param regions RGB of training, [n, 256, 256, 3]
    @param before numbers to go on from
    @returns the numbers by level and class
    """
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed if before is None else [options.seed, 1])
    network = frozen.network
    length = sum(2 * network.channels[layer["to"]] for layer in network.layers if layer["conditioned"])
    table = Table(clusters.centres, length, options.seed)
    if before is not None:
        table.go_on_from(before)
    optimiser = torch.optim.Adam(table.parameters(), betas=(0.9, 0.98))
    members = [np.flatnonzero(classes == c) for c in range(len(clusters.centres))]
    members = [m for m in members if len(m) > 0]
    begun, step, gains = time.monotonic(), 0, {level: [] for level in range(LEVELS)}
    usual = [0.0] * LEVELS
    while (done := (time.monotonic() - begun) / (60 * options.minutes)) < 1:
        level = int(rng.choice(LEVELS, p=SHARE))
        # Classes are drawn alike, so that those of few regions learn too.
        chosen = np.array([rng.choice(members[rng.integers(len(members))]) for _ in range(CROPS[level][1])])
        x, inside, codes = draw(regions, chosen, level, rng)
        loss = frozen.loss(level, x, inside, codes, table.shift(level, torch.from_numpy(classes[chosen])))
        optimiser.param_groups[0]["lr"] = options.rate * min(1, (step + 1) / 30) * 0.5 * (1 + np.cos(np.pi * done))
        # Levels differ tenfold in what they cost; relative to that all count alike.
        gains[level].append(loss.mean().item())
        usual[level] = np.mean(gains[level][-50:])
        optimiser.zero_grad()
        (loss.mean() / usual[level]).backward()
        torch.nn.utils.clip_grad_norm_(table.parameters(), 1.0)
        optimiser.step()
        step += 1
        if step % 50 == 0:
            recent = " ".join(f"{np.mean(gains[level][-50:]):.5f}" for level in range(LEVELS) if gains[level])
            print(f"table: step {step}, {100 * done:.0f} %, KL by level {recent}", flush=True)
    return table.baked()


@torch.no_grad()
def validate_table(frozen, table, regions, classes, seed):
    """KL by level without a class, with the right one, and with the next one, of held back regions."""
    lines = []
    for level in range(LEVELS):
        sums = []
        for shift in (None, 0, 1):
            rng = np.random.default_rng(seed)
            torch.manual_seed(seed)
            parts = []
            for at in range(0, len(regions), 24):
                chosen = np.arange(at, min(at + 24, len(regions)))
                x, inside, codes = draw(regions, chosen, level, rng)
                wrong = 0 if shift is None else shift
                own = torch.from_numpy(table[level][(classes[chosen] + wrong) % table.shape[1]])
                parts.append(frozen.loss(level, x, inside, codes, None if shift is None else own))
            sums.append(torch.cat(parts).mean().item())
        lines.append(f"level {level}: none {sums[0]:.5f}, its class {sums[1]:.5f}, the next one {sums[2]:.5f}")
    return lines
