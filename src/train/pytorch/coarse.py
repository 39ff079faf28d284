"""
Examples for a network that measures levels ≥ 1 of straight paths alone: LL is known, and details are all unknown, or half
of them are known by the coder, as files have them.
"""

import math
from typing import NamedTuple

import torch

from coder import CodedStep, code_step, draw_limit
from examples import examples_of, features_of
from network import example_losses
from observations import Condition, channel_noise, each, hole, observe, sigma_of
from photographs import FIXED, haar
from recipe import CODE_OF_ONE, COEFFICIENTS, EXACT, HIGHEST, LEVELS, LOWEST, PER_OCTAVE, RECIPE, UNKNOWN
from shown import masking

COARSE = RECIPE["coarse"]
# Sigma codes of level 0 whose files are validated; each coarser level is half as noisy in its own units: white noise.
VALIDATED = (184, 160, 128)
SIDES = {1: 384, 2: 192, 3: 96, 4: 96}
MULTIPLE = 16


def halves_of(x):
    """Which half of a straight step a coefficient belongs to: a checkerboard of subbands, in all colours alike."""
    row, column, channel = (torch.arange(n, device=x.device) for n in x.shape[1:])
    return (row[:, None, None] + column[:, None] + channel // 3) % 2


class Examples(NamedTuple):
    """A batch of one level: what is known, and the code that each coefficient is measured to."""

    level: int
    x: torch.Tensor
    inside: torch.Tensor
    codes: torch.Tensor
    z: torch.Tensor
    sigma: torch.Tensor
    to: torch.Tensor


class CoarseStream:
    """Batches one after the other; some are gone on with: what the network gives for them then codes their first half."""

    def __init__(self, model, photographs, rng, batch_scale, draws):
        self.model, self.photographs, self.rng, self.draws, self.batch_scale = model, photographs, rng, draws, batch_scale
        self.examples, self.first = None, None

    def next(self, output):
        with self.draws:
            if self.first is None:
                self.begin()
            else:
                self.code(output)
        return self.examples

    def begin(self):
        level = int(self.rng.choice(LEVELS, p=COARSE["share"]))
        batch = max(1, round(COARSE["batch"][level] * self.batch_scale))
        device = self.model.device
        rand = lambda: torch.rand(batch, device=device)
        chance = lambda name: each((rand() < COARSE[name]).float())
        is_coded = self.rng.random() < COARSE["coded"]
        low, high = COARSE["sigma"][level]
        sigma = (CODE_OF_ONE + PER_OCTAVE * (low + (high - low) * rand())).round()
        ahead = (PER_OCTAVE * COARSE["ahead"]["octaves"] * rand()).round() * (rand() < COARSE["ahead"]["chance"])
        lowest = (sigma - ahead).clamp(min=LOWEST)
        x, inside = self.photographs.crops(level, COARSE["crop"][level], batch, lowest)
        eye, masked = chance("eye"), chance("masked") * each(rand())
        chroma = COARSE["chroma"][level] * eye
        fine, coarse = masking(x, RECIPE["shown"]["masking"]["strength"] * eye * masked, chroma)
        detail = torch.arange(COEFFICIENTS, device=device) >= 3
        to = each(sigma) + fine
        to[..., :3] = each(lowest) + coarse
        # What is around a region of interest lags.
        around = (~hole(x, rand)).float()[..., None]
        to = (to + (chance("region") * each(rand()) * COARSE["lag"] * around).round()).clamp(LOWEST, HIGHEST + PER_OCTAVE)
        half = halves_of(x) == each((rand() < 0.5).long())
        known = half & (chance("halves") > 0) & (not is_coded)
        cut = (chance("cut") > 0) & (torch.rand(x.shape, device=device) < each(rand()))
        codes = torch.where(detail & ~(known ^ cut), UNKNOWN, to)
        codes = torch.where((chance("nothing") > 0) & ~detail, UNKNOWN, codes)
        grey = (chance("grey") > 0) & (torch.arange(COEFFICIENTS, device=device) % 3 != 0)
        codes, to = (torch.where(grey, EXACT, c) for c in (codes, to))
        gone = (hole(x, rand)[..., None] & (chance("hole") > 0)) | ~inside[..., None]
        codes = torch.where(gone, UNKNOWN, codes).float()
        kind = torch.ones(batch, dtype=torch.long, device=device)
        condition = Condition(kind, sigma, kind.bool(), lowest, lowest)
        z = observe(x, inside, codes, channel_noise(x, condition))
        self.examples = Examples(level, x, inside, codes, z, sigma, to)
        self.first = half & detail if is_coded else None

    def code(self, output):
        e = self.examples
        mine = e.inside[..., None] & self.first & (e.codes == UNKNOWN) & (e.to != EXACT)
        to = torch.where(e.to == EXACT, LOWEST, e.to)
        limit, step = draw_limit(self.rng), CodedStep(to, 1, 1, 0, False)
        z, _ = code_step(self.model.normalisation, e.level, e.x, e.inside, e.codes, e.z, output, step, None, limit)
        z, codes = torch.where(mine, z, e.z), torch.where(mine, to, e.codes)
        self.examples, self.first = e._replace(z=z, codes=codes), None


def coarse_examples(normalisation, examples):
    """As `examples_of`, of what is to be measured alone, at the code that it is measured to."""
    level, x, inside, codes, z, sigma, to = examples
    enter = torch.ones_like(sigma, dtype=torch.bool)
    inputs, target, _, _, square_weight = examples_of(normalisation, level, x, inside, codes, z, sigma, enter)
    unknown = (codes == UNKNOWN) & inside[..., None] & (to != EXACT)
    delta = torch.where(unknown, sigma_of(to.clamp(min=LOWEST)) ** -2, 0).permute(0, 3, 1, 2)
    return inputs, target, square_weight * delta, (delta > 0).float(), square_weight * (delta > 0)


class CoarseWorker:
    """Gradients of one batch after the other."""

    def __init__(self, model, stream):
        self.model, self.stream, self.output = model, stream, None

    def gradients(self, _):
        """Gradients of a new batch, the loss, and what balances the next: means by level, sigma, and whether no details are known."""
        model = self.model
        with torch.no_grad():
            examples = self.stream.next(self.output)
            inputs, *rest = coarse_examples(model.normalisation, examples)
            entered = (examples.codes[..., 3:] == UNKNOWN).flatten(1).float().mean(1) > 0.9
            kinds = model.balance.kinds(examples.level, examples.sigma, entered)
            features = features_of(model.conditioning, examples.level, examples.sigma, torch.ones_like(entered))
        output = model.forward(model.state[0], inputs, features)
        kl, square = example_losses(output, *rest)
        weight, _ = model.balance.weights(kinds, kl.detach(), square.detach())
        loss = (kl * weight).mean()
        self.output = output.detach()
        return torch.autograd.grad(loss, model.state[0]), loss.detach(), kinds, kl.detach(), square.detach()


class CoarseValidation:
    """Ideal bits per pixel of all levels ≥ 1 of held-out photographs, by the sigma code of level 0."""

    columns = tuple(f"coarse{code}_bpp" for code in VALIDATED)

    def __init__(self, pyramids, model, count):
        self.model, self.crops = model, []
        for u in pyramids[:count]:
            for level, side in SIDES.items():
                h, w = (min(side, n) // MULTIPLE * MULTIPLE for n in u[level].shape[:2])
                y0, x0 = (u[level].shape[0] - h) // 2, (u[level].shape[1] - w) // 2
                crop = haar(u[level][None, y0 : y0 + h, x0 : x0 + w].astype("float32") / FIXED)
                self.crops.append((level, torch.from_numpy(crop).to(model.device)))
        self.count = min(count, len(pyramids))

    @torch.no_grad()
    def run(self, forward, parameters):
        result = {f"coarse{code}": 0.0 for code in VALIDATED}
        for code in VALIDATED:
            for level, x in self.crops:
                for part in (0, 1):
                    nats = self.nats(forward, parameters, level, x, float(code - PER_OCTAVE * level), part)
                    result[f"coarse{code}"] += nats * 3 / math.log(2) / 4**level / self.count
        return result

    def nats(self, forward, parameters, level, x, code, part):
        """KL a coefficient of what the part tells."""
        generator = torch.Generator(x.device).manual_seed(level * 1000 + int(code))
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        to = torch.full_like(x, code)
        inside = torch.ones(x.shape[:3], dtype=torch.bool, device=x.device)
        detail, half = torch.arange(COEFFICIENTS, device=x.device) >= 3, halves_of(x)
        codes = torch.where(detail & ((half != 0) | (part == 0)), float(UNKNOWN), to)
        z = observe(x, inside, codes, noise)
        examples = Examples(level, x, inside, codes, z, torch.full((1,), code, device=x.device), to)
        inputs, target, information, weight, square_weight = coarse_examples(self.model.normalisation, examples)
        now = (half == part).permute(2, 0, 1)
        features = features_of(self.model.conditioning, level, examples.sigma, torch.ones(1, dtype=torch.bool, device=x.device))
        output = forward(parameters, inputs, features)
        return example_losses(output, target, information * now, weight * now, square_weight)[0].item()
