"""Examples that have been coded up to some step (src/train/coded-examples.ts has the reasons)."""

from typing import NamedTuple

import torch

from observations import Condition, draw_codes, each, parts_of, sigma_of
from recipe import (
    CODE_OF_ONE,
    COARSE_WIDTH,
    COEFFICIENTS,
    FINE_WIDTH,
    FIRST_INFORMATION,
    LEAST_INFORMATION,
    LOG_VARIANCE_MAX,
    LOG_VARIANCE_MIN,
    LOWEST,
    MOST_PASSES,
    PER_OCTAVE,
    QUANTISED_INFORMATION,
    RECIPE,
    TOP,
    UNKNOWN,
)


class CodedStep(NamedTuple):
    to: int  # sigma code after it; or one by example, [batch, 1, 1, 1]
    parts: int  # in how many parts the details are measured
    done: int  # so many of them are, after it
    least: float  # information in bits that a coefficient must have to be measured
    observed: bool  # after it the level is observed whole


def draw_history(level, rng):
    """The condition that coded examples begin in, as (sigma, enter, code of LL, kind), and the steps coded since."""
    width = FINE_WIDTH if level == 0 else COARSE_WIDTH
    coded = RECIPE["coded"]
    u = rng.random()
    if u < coded["path"]:
        details, ahead = RECIPE["path"]["details"], RECIPE["path"]["ahead"]
        sigma = round(CODE_OF_ONE + PER_OCTAVE * rng.uniform(details["lowest"][level], details["highest"][level]))
        more = ahead["octaves"] * rng.random() if rng.random() < ahead["chance"] else 0
        lowest = max(LOWEST, sigma - round(PER_OCTAVE * more))
        count = int(rng.choice(RECIPE["path"]["partCounts"]))
        least = LEAST_INFORMATION if level == 0 else 0
        steps = [CodedStep(sigma, count, i + 1, least, i + 1 == count) for i in range(count)]
        return (sigma, True, lowest, 1), steps[: 1 + int(rng.integers(count))]
    if u < coded["path"] + coded["refine"]:
        sigma = TOP - int(rng.integers(PER_OCTAVE * (3 if level == 0 else 1) + 1 - width))
        return (sigma, False, sigma, 0), [CodedStep(sigma - width, 1, 1, 0, True)]
    steps = [CodedStep(TOP, 2, 1, FIRST_INFORMATION, False), CodedStep(TOP, 1, 1, 0, True)]
    steps.append(CodedStep(TOP - width, 1, 1, 0, True))
    return (TOP, True, TOP, 0), steps[: 1 + int(rng.choice(3, p=coded["steps"]))]


def draw_limit(rng):
    """Bits of a pass, at most."""
    limits = RECIPE["coded"]["limits"]
    return float(rng.choice([float(k) for k in limits], p=list(limits.values())))


def code_step(normalisation, level, x, inside, codes, z, output, step, shift, limit):
    """Codes a step of examples. @param shift which part comes first, [batch]. Returns z and codes after it."""
    concerned = inside[..., None] & (codes > step.to) & (codes[..., :1] != UNKNOWN)
    s = sigma_of(codes)
    correction = normalisation.correction(level, s)
    output = output.float().permute(0, 2, 3, 1)
    mean = normalisation.mean_gain(level, s) * z + correction * output[..., :COEFFICIENTS]
    log_variance = output[..., COEFFICIENTS:].clamp(LOG_VARIANCE_MIN, LOG_VARIANCE_MAX)
    v = correction**2 * torch.exp2(log_variance)
    target = 2 ** ((CODE_OF_ONE - step.to) / (PER_OCTAVE / 2))
    precision = s**-2
    delta = target - precision
    bits = torch.where(concerned, 0.5 * torch.log2(1 + v * delta.clamp(min=0)), 0)
    if step.parts > 1:
        concerned &= (parts_of(x, step.parts) + each(shift)) % step.parts < step.done
    concerned &= bits >= step.least
    passes = (bits / limit).ceil().clamp(1, MOST_PASSES)
    y = x + torch.randn_like(x) / delta.clamp(min=1e-12).sqrt()
    # What is told in passes is gone over alone.
    few = concerned & (bits < QUANTISED_INFORMATION)
    of = lambda a: a[few]
    gain = torch.exp2(2 * of(bits) / of(passes)) - 1
    moved = send_signs(of(x) - of(mean), of(v), gain, of(passes))
    y[few] = of(mean) + moved * (1 + 1 / (of(v) * of(delta)).clamp(min=1e-12))
    coded = (precision * z + delta * y) / target
    return torch.where(concerned, coded, z), torch.where(concerned, torch.as_tensor(step.to, dtype=codes.dtype), codes)


def send_signs(residual, v, gain, passes):
    """How far the signs of so many passes move the mean."""
    amplitude = (v * gain / (1 + gain)).sqrt().clamp(min=1e-12)
    shrink = (1 + gain).rsqrt()
    moved = torch.zeros_like(residual)
    for k in range(int(passes.max()) if len(passes) > 0 else 0):
        towards = torch.rand_like(residual) < torch.sigmoid(2 * gain / amplitude * (residual - moved))
        moved += torch.where(k < passes, torch.where(towards, amplitude, -amplitude), 0)
        amplitude = amplitude * shrink
    return moved


def coded_condition(start, batch, device):
    """The condition of `draw_history` for a batch."""
    sigma, enter, lowest, kind = start
    full = lambda value: torch.full((batch,), value, device=device)
    return Condition(full(kind), full(float(sigma)), full(enter), full(float(lowest)), full(float(lowest)))


def plain_codes(x, inside, condition):
    """Codes before the first coded step: LL and, unless the level is being entered, details; edges and holes as drawn."""
    none = condition._replace(enter=torch.zeros_like(condition.enter))
    codes = draw_codes(x, inside, none._replace(kind=torch.zeros_like(condition.kind)))
    channel = torch.arange(COEFFICIENTS, device=x.device)
    regular = (codes != UNKNOWN) & (codes != 0)
    codes = torch.where(regular & each(condition.enter) & (channel >= 3), float(UNKNOWN), codes)
    return torch.where((codes != UNKNOWN) & (codes != 0) & (channel < 3), each(condition.lowest), codes)


def mean_steps():
    """Coded steps of a history, on the mean."""
    coded = RECIPE["coded"]
    counts = RECIPE["path"]["partCounts"]
    in_parts = sum((1 + n) / 2 for n in counts) / len(counts)
    plain = sum((i + 1) * chance for i, chance in enumerate(coded["steps"]))
    return coded["path"] * in_parts + coded["refine"] + (1 - coded["path"] - coded["refine"]) * plain


def history_chance(share):
    """
    Chance that a batch begins a history, so that the coded ones are this share of all: each history is one
    batch before its first step, and one after every step.
    """
    return share / (1 - share) / mean_steps()
