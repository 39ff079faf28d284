"""Validation along the refined and straight schedules (src/train/validation-schedule.ts), of held-out photographs."""

import math

import torch

from examples import examples_of, features_of
from network import example_losses
from observations import observe, sigma_of
from photographs import FIXED, haar
from recipe import LEVELS, PER_OCTAVE, TOP, UNKNOWN

VALIDATION_SIDE = 256
ALL = -1
COLUMNS = (
    *(f"{name}_bpp" for name in ("total", "coarse", "enter", "refine", "straight16", "straight8")),
    *("psnr45", "psnr16", "psnr8"),
)
SUMS = "coarse", "enter", "refine", "straight16", "straight8", "psnr45", "psnr16", "psnr8"


def validation_schedule():
    """Level, sigma code, half of the details that is measured where entering, code after, sum of its bits, its PSNR."""
    steps = []
    for level in (4, 3, 2, 1, 0):
        steps.append((level, TOP, ALL, TOP, "enter" if level == 0 else "coarse", None))
        width, octaves = (4, 2.5) if level == 0 else (2, 1)
        for sigma in range(TOP, TOP - int(octaves * PER_OCTAVE), -width):
            psnr = {TOP: "psnr45", TOP - 24: "psnr16"}.get(sigma) if level == 0 else None
            steps.append((level, sigma, None, sigma - width, "refine" if level == 0 else "coarse", psnr))
    steps.append((0, TOP - 40, None, TOP - 44, None, "psnr8"))
    for final, bits in ((TOP - 24, "straight16"), (TOP - 40, "straight8")):
        for level in (4, 3, 2, 1, 0):
            sigma = final - PER_OCTAVE * level  # half of the next finer one's in its own units: white noise
            steps += [(level, sigma, half, sigma, bits, None) for half in (0, 1)]
    return steps


def halves_of(x):
    """Which half of a checkerboard a coefficient belongs to, [h, w, 12]; channels take turns."""
    row, column, channel = (torch.arange(n, device=x.device) for n in x.shape[1:])
    return (row[:, None, None] + column[:, None] + channel) % 2


def halve(u):
    return 0.25 * (u[::2, ::2] + u[1::2, ::2] + u[::2, 1::2] + u[1::2, 1::2])


class Validation:
    """The middles of up to `count` photographs of at least `side` pixels a side."""

    columns = COLUMNS

    def __init__(self, pyramids, normalisation, conditioning, device, count=12, side=VALIDATION_SIDE):
        self.normalisation, self.conditioning = normalisation, conditioning
        self.levels = [[] for _ in range(LEVELS)]
        for u in [u for u in pyramids if min(u[0].shape[:2]) >= side][:count]:
            y0, x0 = ((n - side) >> 1 for n in u[0].shape[:2])
            v = u[0][y0 : y0 + side, x0 : x0 + side].astype("float32") / FIXED
            for level in range(LEVELS):
                self.levels[level].append(torch.from_numpy(haar(v)).to(device))
                v = halve(v)

    @torch.no_grad()
    def run(self, forward, parameters):
        """@returns bits per pixel: coarse, enter, refine, their total, straight16 and straight8; PSNR at three sigmas."""
        result = dict.fromkeys(SUMS, 0.0)
        for level, sigma, half, after, bits, psnr in validation_schedule():
            x = torch.stack(self.levels[level])
            generator = torch.Generator(x.device).manual_seed(level * 256 + sigma)
            noise = torch.randn(x.shape, generator=generator, device=x.device)
            codes = torch.full(x.shape, float(sigma), device=x.device)
            details = torch.arange(x.shape[-1], device=x.device) >= 3
            if half is not None:
                codes[:, details & ((halves_of(x) != 0) | (half != 1))] = UNKNOWN
            batch = len(x)
            sigmas = torch.full((batch,), float(sigma), device=x.device)
            enters = torch.full((batch,), half is not None, device=x.device)
            inside = torch.ones(x.shape[:3], dtype=torch.bool, device=x.device)
            z = observe(x, inside, codes, noise)
            made = examples_of(self.normalisation, level, x, inside, codes, z, sigmas, enters)
            inputs, target, _, _, square_weight = made
            next_precision = sigma_of(torch.tensor(float(after))).item() ** -2
            delta = (next_precision - (sigma_of(codes) ** -2).permute(0, 3, 1, 2)).clamp(min=0)
            delta = torch.where(delta < 1e-9, 0, delta)
            if half in (0, 1):
                delta *= (halves_of(x) == half).permute(2, 0, 1)
            output = forward(parameters, inputs, features_of(self.conditioning, level, sigmas, enters))
            kl, square = example_losses(output, target, square_weight * delta, (delta > 0).float(), square_weight)
            if bits is not None:
                result[bits] += kl.mean().item() * 3 / math.log(2) / 4**level
            if psnr is not None:
                result[psnr] = 10 * math.log10(255 * 255 / square.mean().item())
        result["total"] = result["coarse"] + result["enter"] + result["refine"]
        return result
