"""
A classifier of noisy coefficients: which class a level's picture is of, at any sigma (Dhariwal and Nichol, "Diffusion
models beat GANs on image synthesis", 2021, section 4). src/restore/classifier.ts computes the same, and its gradient.
"""

import time

import numpy as np
import torch
import torch.nn.functional as F

from class_table import COARSEST, END, ENTRY, reduced
from observations import sigma_of
from photographs import FIXED, haar, rotate_colours
from recipe import COEFFICIENTS, LEVELS, PER_OCTAVE

# Channels behind the first and the second layer of 2×2 positions, and of the hidden layer.
FIRST, SECOND, HIDDEN = 32, 48, 96
# What is foreseen of pooled values and of their spread, the log-sigma and the level.
FEATURES = 2 * COEFFICIENTS + FIRST + SECOND + 1 + LEVELS
EPSILON = 1e-6
# Codes that are trained on: as samplers go, and somewhat beyond.
LOWEST = [code - PER_OCTAVE // 2 for code in END]
BATCH = [12, 24, 48, 64, 64]
SHARE = [0.3, 0.2, 0.2, 0.15, 0.15]


def patches(x):
    """2×2 positions as one, what is missing 0; [n, h, w, c] to [n, ⌈h/2⌉, ⌈w/2⌉, 4c]: row by row, then channels."""
    x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
    return torch.cat([x[:, ::2, ::2], x[:, ::2, 1::2], x[:, 1::2, ::2], x[:, 1::2, 1::2]], -1)


class Classifier(torch.nn.Module):
    def __init__(self, classes, scale2, seed):
        """@param scale2 squares of the network's input scales, by channel"""
        super().__init__()
        torch.manual_seed(seed)
        self.scale2 = scale2
        self.layers = torch.nn.ModuleList(
            [
                torch.nn.Linear(4 * COEFFICIENTS, FIRST),
                torch.nn.Linear(4 * FIRST, SECOND),
                torch.nn.Linear(FEATURES, HIDDEN),
                torch.nn.Linear(HIDDEN, classes),
            ]
        )

    def forward(self, z, code, level):
        """@param z [n, h, w, 12] @param code [n]"""
        first, second, third, last = self.layers
        x = z / (sigma_of(code)[:, None, None, None] ** 2 + self.scale2).sqrt()
        a = F.relu(first(patches(x)))
        b = F.relu(second(patches(a)))
        mean = lambda v: v.mean((1, 2))
        rms = (mean(x * x) + EPSILON).sqrt()
        told = ((code - 80) / PER_OCTAVE / 2.5)[:, None]
        one = F.one_hot(torch.full((len(z),), min(level, LEVELS - 1)), LEVELS).float()
        return last(F.relu(third(torch.cat([mean(x), rms, mean(a), mean(b), told, one], 1))))


def pyramids(rgb):
    """By level the rotated colours of all regions, as whole numbers of 1 / FIXED."""
    levels = [[] for _ in range(COARSEST + 1)]
    for at in range(0, len(rgb), 64):
        u = torch.from_numpy(rotate_colours(rgb[at : at + 64]))
        for level in levels:
            level.append((u * FIXED).round().to(torch.int16))
            u = reduced(u, 1)
    return [torch.cat(level) for level in levels]


def coefficients(u, rng):
    """Mirrored at random, as classes do not tell left from right."""
    return haar((u.flip(2) if rng.random() < 0.5 else u).float() / FIXED)


def noisy(x, level, rng):
    """All under noise of one sigma by example; of some, details are not known and 0. Returns z and codes."""
    code = torch.from_numpy(rng.integers(LOWEST[level], ENTRY + 5, len(x))).float()
    z = x + sigma_of(code)[:, None, None, None] * torch.randn_like(x)
    blank = torch.from_numpy(rng.random(len(x)) < 0.15)
    detail = torch.arange(COEFFICIENTS) >= 3
    return torch.where(blank[:, None, None, None] & detail, 0.0, z), code


def train_classifier(scale2, levels, classes, count, options):
    """@param levels of `pyramids`"""
    rng = np.random.default_rng(options.seed)
    model = Classifier(count, scale2, options.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.classifier_rate, weight_decay=0.01)
    begun, step, right = time.monotonic(), 0, []
    while (done := (time.monotonic() - begun) / (60 * options.classifier_minutes)) < 1:
        level = int(rng.choice(LEVELS, p=SHARE))
        depth = level if level < LEVELS - 1 else int(rng.integers(LEVELS - 1, COARSEST + 1))
        chosen = rng.integers(len(classes), size=BATCH[level])
        z, code = noisy(coefficients(levels[depth][chosen], rng), level, rng)
        wanted = torch.from_numpy(classes[chosen])
        logits = model(z, code, level)
        optimiser.param_groups[0]["lr"] = options.classifier_rate * 0.5 * (1 + np.cos(np.pi * done))
        optimiser.zero_grad()
        F.cross_entropy(logits, wanted).backward()
        optimiser.step()
        right.append((logits.argmax(1) == wanted).float().mean().item())
        step += 1
        if step % 200 == 0:
            print(f"classifier: step {step}, {100 * done:.0f} %, right {np.mean(right[-200:]):.3f}", flush=True)
    return model


@torch.no_grad()
def validate_classifier(model, levels, classes, seed):
    """How often it is right, by level and sigma, of held back regions."""
    lines = []
    for level in range(LEVELS):
        for code in (ENTRY, ENTRY - PER_OCTAVE, *((ENTRY - 3 * PER_OCTAVE, END[0]) if level == 0 else ())):
            torch.manual_seed(seed)
            x = coefficients(levels[level], np.random.default_rng(seed))
            codes = torch.full((len(x),), float(code))
            z = x + sigma_of(codes)[:, None, None, None] * torch.randn_like(x)
            said = model(z, codes, level).argmax(1).numpy()
            sigma = sigma_of(torch.tensor(float(code))).item()
            lines.append(f"level {level}, sigma {sigma:.1f}: right {np.mean(said == classes):.3f}")
    return lines
