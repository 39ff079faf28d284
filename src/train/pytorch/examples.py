"""From observations to what the network sees and what the loss needs (src/train/examples.ts, src/model/inputs.ts)."""

import math

import numpy as np
import torch

from network import condition_features
from recipe import CODE_OF_ONE, COEFFICIENTS, EXACT, LEVELS, PER_OCTAVE, RECIPE, TOP, UNKNOWN
from observations import each, sigma_of

LOG2_12 = math.log2(12)
# A network that is told sigma is told at least this code where details are unknown.
LEAST_ENTERED = TOP - PER_OCTAVE // 2
# Precision that a refining step adds, relative to what is there.
STEP_GAIN = 2 ** (2 * RECIPE["loss"]["stepOctaves"]) - 1


class Normalisation:
    """The constants that observations are normalised with, by level and channel."""

    def __init__(self, statistics, device):
        to = lambda a: torch.from_numpy(np.array(a, np.float32)).to(device)
        self.prior = to(statistics["prior"]).reshape(-1, COEFFICIENTS)
        self.scale2 = to(statistics["inputScale"]) ** 2

    def mean_gain(self, level, sigma):
        """cs: factor of z in the Wiener estimate."""
        p2 = self.prior[level] ** 2
        return p2 / (p2 + sigma**2)

    def correction(self, level, sigma):
        """co: standard deviation of its error."""
        # Through 1/sigma², which is 0 where nothing is known and infinite where all is.
        return 1 / (self.prior[level] ** -2 + sigma**-2).sqrt()


def log_sigma_feature(codes):
    octaves = ((codes - CODE_OF_ONE) / PER_OCTAVE).clamp(-2, 9)
    octaves = torch.where(codes == UNKNOWN, 9.0, torch.where(codes == EXACT, -2.0, octaves))
    return (octaves - LOG2_12) / 2.5


def features_of(conditioning, level, sigma, enter):
    """What the conditioning sees; one row when all examples share it. Class unknown."""
    place = [min(level, conditioning["levels"] - 1)]
    level_part = torch.nn.functional.one_hot(torch.tensor(place, device=sigma.device), conditioning["levels"]).float()
    classes = torch.zeros(1, conditioning.get("classes", 0), device=sigma.device)
    if not conditioning.get("sigma", True):
        return torch.cat([level_part, classes], 1)
    told = torch.where(enter, sigma.float().clamp(min=LEAST_ENTERED), sigma.float())
    s, mode = log_sigma_feature(told), enter.float()
    n = len(sigma)
    features = torch.stack([s, mode, s * mode], 1)
    features = torch.cat([features, level_part.expand(n, -1), classes.expand(n, -1)], 1)
    assert features.shape[1] == condition_features(conditioning)
    return features


def examples_of(normalisation, level, x, inside, codes, z, sigma, enter):
    """Network input, target, information, weight and square weight, as [batch, c, h, w]."""
    channel = torch.arange(COEFFICIENTS, device=x.device)
    seen = inside[..., None] & (codes != EXACT)
    s = sigma_of(codes)
    co = normalisation.correction(level, s)
    values = torch.where(seen, z / (s**2 + normalisation.scale2).sqrt(), 0)
    mean = normalisation.mean_gain(level, s) * z
    target = torch.where(seen, (x - mean) / co.clamp(min=1e-20), 0)
    enter_precision = each(sigma_of(sigma.float())) ** -2
    delta = torch.where(codes == UNKNOWN, enter_precision, STEP_GAIN / s**2)
    information = torch.where(seen, co * co * delta, 0)
    entered = RECIPE["loss"]["enteredLowest"]
    weight = torch.where(seen, torch.where(each(enter) & (channel < 3), entered, 1.0), 0)
    square_weight = torch.where(seen, co * co, 0)
    inputs = torch.cat([values, log_sigma_feature(codes)], -1)
    return [a.permute(0, 3, 1, 2) for a in (inputs, target, information, weight, square_weight)]
