"""
Examples for a network that shows what another has coded (a model with another one's path): level 0 of a straight path, whose
details the other network has measured, in its parts, with the coder's noise, and left out where it foresaw little.
It shows them in two ways, told apart by the mode that it is told: `refine` for the mean, `enter` for the eye.
"""

import math

import torch
import torch.nn.functional as F

from checkpoint import read_checkpoint
from coder import CodedStep, code_step, draw_limit, plain_codes
from examples import Normalisation, examples_of, features_of
from eye import scores
from network import Network, example_losses
from observations import Condition, each, observe, sigma_of
from photographs import FIXED, haar
from recipe import (
    CODE_OF_ONE,
    COEFFICIENTS,
    EXACT,
    LEAST_INFORMATION,
    MASKING_CALM,
    MASKING_CELL,
    MASKING_LEAST,
    MASKING_MOST,
    MASKING_UNIT,
    MASKING_USUAL,
    PER_OCTAVE,
    RECIPE,
    UNKNOWN,
)

SHOWN = RECIPE["shown"]
# Sigma codes of the details that are validated, and by how much LL is ahead of them.
VALIDATED = {176: 21, 160: 17, 144: 13, 128: 10, 112: 8}
SIDE = 256
# Positions.
TINT_SIDE = 16


class Path:
    """The network that codes: its averaged weights."""

    def __init__(self, path, device, half):
        header, arrays = read_checkpoint(path)
        self.network, self.half = Network(header["architecture"]), half
        self.conditioning = header["architecture"]["conditioning"]
        self.normalisation = Normalisation(header["statistics"], device)
        self.weights = self.network.split(arrays["average"], device)

    @torch.no_grad()
    def code(self, x, inside, codes, z, sigma, step, shift, limit):
        """z and codes after a step of level 0."""
        enter = torch.ones_like(sigma, dtype=torch.bool)
        inputs = examples_of(self.normalisation, 0, x, inside, codes, z, sigma, enter)[0]
        features = features_of(self.conditioning, 0, sigma, enter)
        output = self.network.forward(self.weights, inputs.contiguous(memory_format=torch.channels_last), features, self.half)
        return code_step(self.normalisation, 0, x, inside, codes, z, output, step, shift, limit)


def noise_of(x, octaves):
    """White noise; that of LL has less of the lowest frequencies, by what level 1 knew its LL better than its details."""
    noise = torch.randn_like(x)
    low = noise[..., :3].permute(0, 3, 1, 2)
    mean = torch.nn.functional.avg_pool2d(low, 2).repeat_interleave(2, 2).repeat_interleave(2, 3).permute(0, 2, 3, 1)
    noise[..., :3] -= each(1 - torch.exp2(-octaves)) * mean
    return noise


def offsets_of(ll, strength, block):
    """By how many sigma codes more details are measured, at the positions of LL, by the coarser level; strength: codes an octave."""
    details = haar(ll[..., :1] / 2)[..., 1:]
    energy = torch.log2(details.square().sum(-1)[:, None] + MASKING_LEAST)
    energy = F.avg_pool2d(energy, block, ceil_mode=True)
    calmest = -F.max_pool2d(-energy, MASKING_CELL, ceil_mode=True)
    calmest = calmest.repeat_interleave(MASKING_CELL, 2).repeat_interleave(MASKING_CELL, 3)
    energy = energy + MASKING_CALM * (calmest[:, :, : energy.shape[2], : energy.shape[3]] - energy)
    energy = energy.repeat_interleave(2 * block, 2).repeat_interleave(2 * block, 3)
    octaves = energy - math.log2(MASKING_USUAL)
    offsets = MASKING_UNIT * (strength * octaves / MASKING_UNIT + 0.5).floor()
    return offsets.clamp(-MASKING_MOST, MASKING_MOST)[:, 0, : ll.shape[1], : ll.shape[2], None]


def masking(x, strength, chroma):
    """Offsets of the coefficients of level 0, and those of LL, which are of the details of level 1; chroma: codes more."""
    more = chroma * torch.ones(COEFFICIENTS, device=x.device)
    fine = offsets_of(x[..., :3], strength, 2)
    coarse = offsets_of(haar(x[..., :3] / 2)[..., :3], strength, 2)
    coarse = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2)
    # Contrast of brightness hides no colours.
    bright = torch.arange(COEFFICIENTS, device=x.device) % 3 == 0
    of = lambda offsets, channels: torch.where(bright[channels], offsets, more[..., channels])
    return of(fine, slice(None)), of(coarse, slice(3))


def steps_to(code, parts):
    """Details of level 0, measured straight: in how many parts."""
    return [CodedStep(code, parts, i + 1, LEAST_INFORMATION, i + 1 == parts) for i in range(parts)]


class ShownStream:
    """Batches of what is shown, one after the other; of some the last part is not there yet."""

    def __init__(self, path, photographs, rng, batch_scale, draws, device):
        self.path, self.photographs, self.rng, self.draws, self.device = path, photographs, rng, draws, device
        self.batch = max(1, round(SHOWN["batch"] * batch_scale))

    def next(self):
        """Coefficients, which positions are inside, codes, z, sigma codes, and whether it is shown to the eye."""
        with self.draws:
            drawn = self.draw()
        return self.coded(*drawn)

    def draw(self):
        batch, device = self.batch, self.device
        rand = lambda: torch.rand(batch, device=device)
        at_once = self.rng.random() < SHOWN["atOnce"]["chance"]
        low, high = SHOWN["atOnce" if at_once else "inParts"]["sigma"]
        sigma = (CODE_OF_ONE + PER_OCTAVE * (low + (high - low) * rand())).round()
        lowest = sigma - (PER_OCTAVE * SHOWN["ahead"] * rand()).round()
        enter = torch.ones(batch, dtype=torch.bool, device=device)
        condition = Condition(torch.ones(batch, dtype=torch.long, device=device), sigma, enter, lowest, lowest)
        x, inside = self.photographs.crops(0, SHOWN["crop"], batch, sigma)
        codes = plain_codes(x, inside, condition)
        masked = each((rand() < SHOWN["masking"]["chance"]).float())
        fine, coarse = masking(x, SHOWN["masking"]["strength"] * masked, SHOWN["masking"]["chroma"] * masked)
        ll = codes[..., :3]
        codes[..., :3] = torch.where((ll == EXACT) | (ll == UNKNOWN), ll, ll + coarse)
        z = observe(x, inside, codes, noise_of(x, SHOWN["coloured"] * rand()))
        steps = steps_to(each(sigma) + fine.expand(x.shape), 1 if at_once else 2)
        if self.rng.random() < SHOWN["unfinished"]:
            steps = steps[:-1]
        limit = draw_limit(self.rng)
        eye = self.rng.random() < SHOWN["eye"]
        return x, inside, codes, z, sigma, eye, steps, torch.randint(12, (batch,), device=device), limit

    def coded(self, x, inside, codes, z, sigma, eye, steps, shift, limit):
        for step in steps:
            z, codes = self.path.code(x, inside, codes, z, sigma, step, shift, limit)
        return x, inside, codes, z, sigma, torch.full_like(sigma, eye, dtype=torch.bool)


def shown_examples(normalisation, x, inside, codes, z, sigma, eye):
    """As `examples_of`, and how an output becomes coefficients that are shown; what cannot be seen is as it is."""
    made = examples_of(normalisation, 0, x, inside, codes, z, sigma, eye)
    seen = inside[..., None] & (codes != EXACT)
    s = sigma_of(codes)
    mean, correction = normalisation.mean_gain(0, s) * z, normalisation.correction(0, s)
    of = lambda output: torch.where(seen, mean + correction * output.permute(0, 2, 3, 1), x)
    return made, lambda output: of(output[:, :COEFFICIENTS])


def tint(error):
    """Squared error of what large areas are on the mean: the score alone leads to colours that are all a little off."""
    ll = error[..., : COEFFICIENTS // 4].permute(0, 3, 1, 2)
    return F.avg_pool2d(ll, TINT_SIDE).square().mean((1, 2, 3))


class ShownWorker:
    """Gradients of one batch after the other."""

    def __init__(self, model, stream):
        self.model, self.stream = model, stream

    def gradients(self, _):
        """Gradients of a new batch, the loss, and what balances the next."""
        model = self.model
        with torch.no_grad():
            x, inside, codes, z, sigma, eye = self.stream.next()
            (inputs, *rest), shown = shown_examples(model.normalisation, x, inside, codes, z, sigma, eye)
            kinds = model.balance.kinds(0, sigma, eye)
            features = features_of(model.conditioning, 0, sigma, eye)
        output = model.forward(model.state[0], inputs, features)
        kl, square = example_losses(output, *rest)
        kl_weight, square_weight = model.balance.weights(kinds, kl.detach(), square.detach())
        weights = SHOWN["weights"]
        loss = kl * kl_weight * weights["kl"] + square * square_weight * weights["square"]
        if eye[0]:
            decoded = shown(output)
            loss = loss + (100 - scores(x, decoded)) * weights["score"] + tint(decoded - x) * weights["tint"]
        loss = loss.mean()
        return torch.autograd.grad(loss, model.state[0]), loss.detach(), kinds, kl.detach(), square.detach()


class ShownValidation:
    """PSNR of the mean, and PSNR and score of what is for the eye, of held-out photographs by sigma code of their details."""

    columns = tuple(f"{figure}{code}" for figure in ("mean", "eye", "score") for code in VALIDATED)

    def __init__(self, pyramids, model, path, count):
        self.model, self.path = model, path
        crops = []
        for u in [u for u in pyramids if min(u[0].shape[:2]) >= SIDE][:count]:
            y0, x0 = ((n - SIDE) >> 1 for n in u[0].shape[:2])
            crops.append(torch.from_numpy(haar(u[0][y0 : y0 + SIDE, x0 : x0 + SIDE].astype("float32") / FIXED)))
        self.x = torch.stack(crops).to(model.device)

    @torch.no_grad()
    def run(self, forward, parameters):
        state = torch.get_rng_state()
        torch.manual_seed(1)
        result = {}
        for code, ahead in VALIDATED.items():
            known = self.observed(code, ahead)
            for name, eye in ("mean", False), ("eye", True):
                flags = torch.full_like(known[-1], eye, dtype=torch.bool)
                (inputs, *_), shown = shown_examples(self.model.normalisation, *known, flags)
                features = features_of(self.model.conditioning, 0, known[-1], flags)
                decoded = shown(forward(parameters, inputs, features))
                result[f"{name}{code}"] = 10 * math.log10(255 * 255 / (decoded - self.x).square().mean().item())
            result[f"score{code}"] = scores(self.x, decoded).mean().item()
        torch.set_rng_state(state)
        return result

    def observed(self, code, ahead):
        x = self.x
        inside = torch.ones(x.shape[:3], dtype=torch.bool, device=x.device)
        sigma = torch.full((len(x),), float(code), device=x.device)
        codes = torch.full(x.shape, float(UNKNOWN), device=x.device)
        fine, coarse = masking(x, SHOWN["masking"]["strength"], SHOWN["masking"]["chroma"])
        codes[..., :3] = code - ahead + coarse
        z = observe(x, inside, codes, noise_of(x, torch.full_like(sigma, 0.5)))
        for step in steps_to(each(sigma) + fine.expand(x.shape), 1 if code >= 176 else 2):
            shift = torch.zeros(len(x), dtype=torch.long, device=x.device)
            z, codes = self.path.code(x, inside, codes, z, sigma, step, shift, 0.0625)
        return x, inside, codes, z, sigma
