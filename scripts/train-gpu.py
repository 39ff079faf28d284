#!/usr/bin/env python3
"""Trains a checkpoint of `dcomp train` on a GPU with PyTorch, for a given time.

The same network, examples, loss and optimiser as src/train (see there for the reasons and sources), with larger batches, and
the noise drawn on the GPU. It reads and writes the checkpoints and logs of `dcomp train`, so either can go on where the other ended.
Not exact to the bit: the learning rate follows the clock, the sums of a GPU have no order of their own.

    python3 scripts/train-gpu.py --data FOLDER --checkpoint FILE --log FILE.csv --minutes 9

FOLDER holds photographs of any lossless format that Pillow reads.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

MAGIC = b"dcomp-checkpoint-1\n"
ARRAYS = ("parameters", "average", "firstMoment", "secondMoment")

# As in src/model: sigma codes, channels, bounds of the output.
EXACT, UNKNOWN, TOP, PER_OCTAVE = 0, 255, 168, 16
COEFFICIENTS = 12
LOG_VARIANCE_MIN, LOG_VARIANCE_MAX = -13.0, 9.0

# As in src/train: examples, loss and optimiser.
LEVELS = 5
DATA_LEVELS = 6
MIN_SIDE = 64
VALIDATION_STRIDE = 50
SHARE = (0.52, 0.26, 0.13, 0.06, 0.03)
# Chance of another exposure, and of another saturation, and their ranges in octaves of contrast.
RECOLOURED, EXPOSURE, SATURATION = 0.3, (-0.5, 0.2), (-0.6, 0.4)
HALF_KNOWN = 0.4
CODED_SHARE = 0.4
STEP_GAIN = 2**0.5 - 1
# As in src/format.ts: most information of a pass (with the odds of src/train/coded-examples.ts), least of what is first; width of a step.
PASS_INFORMATION, LIMIT_ODDS = (1 / 16, 1 / 8, 1 / 4), (0.6, 0.25, 0.15)
FIRST_INFORMATION = 1 / 8
FINE_WIDTH, COARSE_WIDTH = 4, 2
# So many passes make Gaussian noise.
MANY_PASSES = 16
BETA1, BETA2, EPSILON = 0.95, 0.99, 1e-8
WARM_UP = 300
CONSTANT_SHARE = 0.3
AVERAGE_DECAY = 0.999
BALANCE, SQUARE_SHARE = 0.6, 0.05
LOG_HEADER = "step,seconds,rate,loss,total_bpp,coarse_bpp,enter_bpp,refine_bpp,psnr45,psnr16,psnr8\n"

# Crop side in pixels of the level, and batch: four to eight times those of src/train.
CROP = (128, 128, 64, 32, 16)
BATCH = (64, 64, 128, 256, 384)
# Late in the training level 0 sees larger crops, as pictures have fewer edges in use.
LATE, LATE_CROP, LATE_BATCH = 0.6, 192, 28


# --- checkpoints -------------------------------------------------------------------------------------------------------


def read_checkpoint(path):
    """The header, and the four flat arrays as float32."""
    data = pathlib.Path(path).read_bytes()
    if not data.startswith(MAGIC):
        raise SystemExit(f"{path}: not a checkpoint of dcomp train")
    end = data.index(b"\n", len(MAGIC))
    header = json.loads(data[len(MAGIC) : end])
    width = 2 if header["compact"] else 4
    n = (len(data) - end - 1) // (len(ARRAYS) * width)
    arrays = {}
    for i, name in enumerate(ARRAYS):
        part = data[end + 1 + i * n * width : end + 1 + (i + 1) * n * width]
        if header["compact"]:
            part = (np.frombuffer(part, "<u2").astype("<u4") << 16).tobytes()
        arrays[name] = np.frombuffer(part, "<f4").copy()
    return header, arrays


def write_checkpoint(path, header, arrays):
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as f:
        f.write(MAGIC + json.dumps({**header, "compact": False}, separators=(",", ":")).encode() + b"\n")
        for name in ARRAYS:
            f.write(arrays[name].astype("<f4").tobytes())
    os.replace(temporary, path)


# --- the network -------------------------------------------------------------------------------------------------------


class Network:
    """The architecture of a checkpoint, on [batch, channels, h, w]; weights have PyTorch's layout."""

    def __init__(self, architecture):
        self.layers = architecture["layers"]
        channels = {t["name"]: t["channels"] for t in architecture["tensors"]}
        self.channels = channels
        features = 3 + architecture["conditioning"]["levels"]
        hidden = architecture["conditioning"]["hidden"]
        modulation = sum(2 * channels[layer["to"]] for layer in self.layers if layer["conditioned"])
        self.specs = []  # name, shape in the file, axes of PyTorch's layout
        for layer in self.layers:
            k = 3 if layer["kind"] == "conv3x3" else 2
            shape = (k, k, channels[layer["from"]], channels[layer["to"]])
            axes = (2, 3, 0, 1) if layer["kind"] == "up2x2" else (3, 2, 0, 1)
            self.specs += [(f"{layer['name']}.w", shape, axes), (f"{layer['name']}.b", shape[3:], (0,))]
        for name, shape in (("w1", (features, hidden)), ("b1", (hidden,)), ("w2", (hidden, modulation)), ("b2", (modulation,))):
            self.specs.append((f"cond.{name}", shape, tuple(range(len(shape)))))
        self.index = {name: i for i, (name, _, _) in enumerate(self.specs)}
        self.matrices = [self.index[f"{layer['name']}.w"] for layer in self.layers[1:-1]]

    def split(self, flat, device):
        """A flat array of a checkpoint as tensors."""
        tensors, offset = [], 0
        for _, shape, axes in self.specs:
            n = math.prod(shape)
            tensors.append(torch.from_numpy(flat[offset : offset + n].reshape(shape).transpose(axes).copy()).to(device))
            offset += n
        if offset != len(flat):
            raise SystemExit(f"the checkpoint holds {len(flat)} numbers, its architecture {offset}")
        return tensors

    def flat(self, tensors):
        parts = []
        for tensor, (_, _, axes) in zip(tensors, self.specs):
            parts.append(tensor.detach().float().cpu().numpy().transpose(np.argsort(axes)).reshape(-1))
        return np.concatenate(parts)

    def forward(self, parameters, x, features, half):
        """The first layer in float32, as it sees the picture itself; the rest in `half`. Returns float32."""
        p = lambda name: parameters[self.index[name]]
        hidden = F.relu(features @ p("cond.w1") + p("cond.b1"))
        modulation = hidden @ p("cond.w2") + p("cond.b2")
        tensors = {"input": x}
        column = 0
        for layer in self.layers:
            name, source = layer["name"], tensors[layer["from"]]
            c = self.channels[layer["to"]]
            first = layer["from"] == "input"
            dtype = torch.float32 if first else half
            w = p(f"{name}.w").to(dtype)
            if layer["kind"] == "conv3x3":
                y = F.conv2d(source, w, padding=1)
            elif layer["kind"] == "down2x2":
                y = F.conv2d(source, w, stride=2)
            else:
                y = F.conv_transpose2d(source, w, stride=2)
            bias = p(f"{name}.b")[None, :]
            if layer["conditioned"]:
                gain = modulation[:, column : column + c] + 1
                bias = bias * gain + modulation[:, column + c : column + 2 * c]
                column += 2 * c
                y = y * gain.to(dtype)[:, :, None, None]
            y = y + bias.to(dtype)[:, :, None, None]
            if "add" in layer:
                y = y + tensors[layer["add"]]
            if layer["relu"]:
                y = F.relu(y)
            tensors[layer["to"]] = y.to(half)
        return tensors[self.layers[-1]["to"]].float()


def example_losses(output, target, information, weight, square_weight):
    """By example: KL in nats and squared error, averaged over the grid. All [batch, 12, h, w]; output [batch, 24, h, w]."""
    correction, log_variance = output[:, :COEFFICIENTS], output[:, COEFFICIENTS:].clamp(LOG_VARIANCE_MIN, LOG_VARIANCE_MAX)
    error2 = (target - correction).square()
    expected = information * torch.exp2(log_variance) + 1
    actual = information * error2 + 1
    kl = (expected.log() + actual / expected - 1) * (weight * 0.5)
    return kl.mean((1, 2, 3)), (error2 * square_weight).mean((1, 2, 3))


# --- photographs -------------------------------------------------------------------------------------------------------


def rotate_colours(rgb):
    r, g, b = (rgb[..., i].astype(np.float32) - 127.5 for i in range(3))
    return np.stack([(r + g + b) / math.sqrt(3), (r - g) / math.sqrt(2), (r + g - 2 * b) / math.sqrt(6)], -1)


def halve(u):
    """2×2 means; an odd side is continued by its last row or column."""
    u = np.pad(u, ((0, u.shape[0] & 1), (0, u.shape[1] & 1), (0, 0)), mode="edge")
    return 0.25 * (u[::2, ::2] + u[1::2, ::2] + u[::2, 1::2] + u[1::2, 1::2])


def haar(u):
    """[..., h, w, 3] of even sides to [..., h/2, w/2, 12]: LL, LH, HL, HH."""
    p, q, r, s = u[..., ::2, ::2, :], u[..., ::2, 1::2, :], u[..., 1::2, ::2, :], u[..., 1::2, 1::2, :]
    join = torch.cat if isinstance(u, torch.Tensor) else np.concatenate
    return join([p + q + r + s, p - q + r - s, p + q - r - s, p - q - r + s], -1) * 0.5


def pyramid(path):
    u = rotate_colours(np.asarray(Image.open(path).convert("RGB")))
    levels = [u]
    for _ in range(1, DATA_LEVELS):
        levels.append(halve(levels[-1]))
    return levels


def load(folder):
    """Pyramids of the training and of the validation photographs, divided as `dcomp train` divides them."""
    paths = sorted((p for p in pathlib.Path(folder).iterdir() if p.suffix in (".png", ".webp")), key=lambda p: p.stem)
    key = lambda p: p.stem[2:] if p.stem[:2] in ("c_", "p_") else p.stem
    keys = sorted({key(p) for p in paths})
    held = {k for i, k in enumerate(keys) if i % VALIDATION_STRIDE == VALIDATION_STRIDE >> 1}
    with concurrent.futures.ProcessPoolExecutor() as pool:
        pyramids = list(pool.map(pyramid, paths, chunksize=8))
    large = [(p, u) for p, u in zip(paths, pyramids) if min(u[0].shape[:2]) >= MIN_SIDE]
    return [u for p, u in large if key(p) not in held], [u for p, u in large if key(p) in held]


class Photographs:
    """All levels of all photographs in one flat array on the device: level · count + photograph is where one begins."""

    def __init__(self, pyramids, device):
        self.count = len(pyramids)
        planes = [u[level] for level in range(DATA_LEVELS) for u in pyramids]
        sizes = np.array([plane.shape[:2] for plane in planes])
        starts = np.concatenate([[0], np.cumsum(sizes.prod(1))[:-1]])
        self.heights, self.widths, self.starts = (torch.from_numpy(a.astype(np.int64)).to(device) for a in (sizes[:, 0], sizes[:, 1], starts))
        self.pixels = torch.from_numpy(np.concatenate([plane.reshape(-1, 3) for plane in planes])).to(device)

    def crops(self, level, side, batch):
        """Mirrored at random. Returns [batch, side/2, side/2, 12] and which positions are inside the photograph."""
        device = self.pixels.device
        rand = lambda: torch.rand(batch, device=device)
        below = lambda n: (rand() * n).long()
        photograph = below(self.count)
        # A picture of the next finer scale is an example too.
        of = torch.where(rand() < 0.25, max(level - 1, 0), level) * self.count + photograph
        width, height = self.widths[of], self.heights[of]
        overhang = torch.where(rand() < 0.12, side - 2, 0)
        place = lambda length: below((torch.minimum(length - 2, length - side + overhang) + 1).clamp(min=1))
        x0, y0 = place(width), place(height)
        w, h = (width - x0).clamp(max=side)[:, None, None], (height - y0).clamp(max=side)[:, None, None]
        mirror_x, mirror_y, swap = ((rand() < chance)[:, None, None] for chance in (0.5, 0.15, 0.15))
        y, x = torch.meshgrid(torch.arange(side, device=device), torch.arange(side, device=device), indexing="ij")
        sx, sy = torch.where(swap, y, x), torch.where(swap, x, y)
        sx = torch.where(mirror_x, w - 1 - sx, sx).clamp(min=0).minimum(w - 1)
        sy = torch.where(mirror_y, h - 1 - sy, sy).clamp(min=0).minimum(h - 1)
        at = self.starts[of][:, None, None] + (y0[:, None, None] + sy) * width[:, None, None] + x0[:, None, None] + sx
        inside = (x < torch.where(swap, h, w)) & (y < torch.where(swap, w, h))
        # Another exposure and another saturation, of some.
        exposure, saturation = (torch.where(rand() < RECOLOURED, torch.exp2(rand() * (high - low) + low), 1) for low, high in (EXPOSURE, SATURATION))
        gain = torch.stack([exposure, exposure * saturation, exposure * saturation], 1)
        return haar(self.pixels[at] * gain[:, None, None]), inside[:, ::2, ::2]


# --- examples ----------------------------------------------------------------------------------------------------------


def sigma_of(code):
    return torch.exp2((code - 80) / PER_OCTAVE)


class Tables:
    """By level, code and channel: what an observation is turned into (src/model/inputs.ts)."""

    def __init__(self, statistics, device):
        prior = np.array(statistics["prior"]).reshape(LEVELS, 1, COEFFICIENTS)
        scale = np.array(statistics["inputScale"]).reshape(1, COEFFICIENTS)
        code = np.arange(256.0)[:, None]
        sigma = 2 ** ((code - 80) / PER_OCTAVE)
        gain = 1 / np.sqrt(sigma**2 + scale**2)
        mean = prior**2 / (prior**2 + sigma**2)
        correction = prior * sigma / np.sqrt(prior**2 + sigma**2)
        log2 = np.clip((code[:, 0] - 80) / PER_OCTAVE, -2, 9)
        log2[EXACT], log2[UNKNOWN] = -2, 9
        gain[UNKNOWN] = 0
        mean[:, UNKNOWN], correction[:, UNKNOWN] = 0, prior[:, 0]
        mean[:, EXACT], correction[:, EXACT] = 1, 0
        to = lambda a: torch.from_numpy(np.ascontiguousarray(a, np.float32)).to(device)
        self.gain, self.mean, self.correction = to(gain), to(mean), to(correction)
        self.feature = to((log2 - math.log2(12)) / 2.5)


def features_of(tables, level, sigma, enter):
    s, mode = tables.feature[sigma], enter.float()
    return torch.cat([s[:, None], mode[:, None], (s * mode)[:, None], F.one_hot(torch.full_like(sigma, level), LEVELS).float()], 1)


def draw_condition(level, batch, device):
    """Sigma code and whether the level is being entered."""
    rand = lambda: torch.rand(batch, device=device)
    top = TOP + torch.where(rand() < 0.8, 0, torch.where(rand() < 0.5, 8, -8))
    enter = rand() < (0.25 if level == 0 else 0.3)
    u = rand()
    if level > 0:
        deepest = torch.where(u < 0.9, 16, 48)
    else:
        deepest = torch.where(u < 0.72, 40, torch.where(u < 0.944, 80, 120))
    return torch.where(enter, top, top - (rand() * (deepest + 1)).long()), enter


def parity_of(x):
    """(column + row + channel) mod 2, [h, w, 12]."""
    row, column, channel = (torch.arange(n, device=x.device) for n in x.shape[1:])
    return (row[:, None, None] + column[:, None] + channel) % 2


def draw_codes(x, inside, sigma, enter, half_known):
    """Sigma codes [batch, h, w, 12]: a share of those that enter know half of the details; steps cut in the middle, grey pictures, holes."""
    batch, h, w, _ = x.shape
    device = x.device
    rand = lambda: torch.rand(batch, device=device)
    each = lambda v: v[:, None, None, None]
    grey, partial = rand() < 0.04, rand() < 0.25
    threshold = sigma_of(sigma.float()) * torch.exp2(4 * rand() - 2.5)
    by_amplitude = rand() < 0.6
    share = rand()
    refined = torch.where(enter, sigma, sigma - torch.where(rand() < 0.5, 4, 2))
    size = (x.abs() * inside[..., None]).permute(0, 3, 1, 2)
    amplitude = torch.maximum(F.max_pool2d(size, (3, 1), 1, (1, 0)), F.max_pool2d(size, (1, 3), 1, (0, 1))).permute(0, 2, 3, 1)
    first = torch.where(each(by_amplitude), amplitude > each(threshold), torch.rand(x.shape, device=device) < each(share))
    first &= torch.rand(x.shape, device=device) < 0.97
    channel = torch.arange(COEFFICIENTS, device=device)
    detail = channel >= 3
    parity = parity_of(x)
    half = torch.where(enter & (rand() < half_known), (rand() < 0.5).long(), -1)
    codes = torch.where(each(enter) & detail & (parity != each(half)), UNKNOWN, each(sigma))
    codes = torch.where(each(partial) & first & (detail | ~each(enter)), each(refined), codes)
    codes = torch.where(each(grey) & (channel % 3 != 0), EXACT, codes)
    hole = rand() < 0.03
    hw, hh = 1 + (rand() * w).long(), 1 + (rand() * h).long()
    hx, hy = (rand() * (w - hw + 1)).long(), (rand() * (h - hh + 1)).long()
    px, py = torch.arange(w, device=device)[None, None, :], torch.arange(h, device=device)[None, :, None]
    one = lambda v: v[:, None, None]
    missing = one(hole) & (px >= one(hx)) & (px < one(hx + hw)) & (py >= one(hy)) & (py < one(hy + hh))
    return torch.where((missing | ~inside)[..., None], UNKNOWN, codes)


def observe(x, inside, codes, noise):
    """z of an ideal channel, [batch, h, w, 12]."""
    known = inside[..., None] & (codes != EXACT) & (codes != UNKNOWN)
    return torch.where(known, x + sigma_of(codes.float()) * noise, 0)


def code_step(tables, level, x, inside, codes, z, output, to, part, parity, limit):
    """Codes a step of examples (src/train/coded-examples.ts). Returns z and codes after it."""
    channel = torch.arange(COEFFICIENTS, device=x.device)
    concerned = inside[..., None] & (codes > to) & (codes[..., :1] != UNKNOWN)
    correction = tables.correction[level][codes, channel]
    output = output.float().permute(0, 2, 3, 1)
    mean = tables.mean[level][codes, channel] * z + correction * output[..., :COEFFICIENTS]
    v = correction**2 * torch.exp2(output[..., COEFFICIENTS:].clamp(LOG_VARIANCE_MIN, LOG_VARIANCE_MAX))
    target = 2 ** ((80 - to) / (PER_OCTAVE / 2))
    precision = torch.where(codes == UNKNOWN, 0, 1 / sigma_of(codes.float()) ** 2)
    delta = target - precision
    bits = torch.where(concerned, 0.5 * torch.log2(1 + v * delta.clamp(min=0)), 0)
    if part == "first":
        concerned &= (parity_of(x) == parity[:, None, None, None]) & (bits >= FIRST_INFORMATION)
    passes = torch.maximum((bits / limit).ceil(), (2 * bits).ceil()).clamp(1, 255)
    gain = torch.exp2(2 * bits / passes) - 1
    amplitude = (v * gain / (1 + gain)).sqrt().clamp(min=1e-12)
    moved, residual = torch.zeros_like(x), x - mean
    for k in range(MANY_PASSES):
        sign = torch.where(torch.rand_like(x) < torch.sigmoid(2 * gain / amplitude * (residual - moved)), amplitude, -amplitude)
        moved = torch.where(k < passes, moved + sign, moved)
        amplitude = amplitude / (1 + gain).sqrt()
    y = torch.where(passes > MANY_PASSES, x + torch.randn_like(x) / delta.clamp(min=1e-12).sqrt(), mean + moved * (1 + 1 / (v * delta.clamp(min=1e-12))))
    coded = (precision * z + delta * y) / target
    return torch.where(concerned, coded, z), torch.where(concerned, to, codes)


def history(level, rng):
    """Sigma code and mode in which examples that are coded begin, and the steps: code after it and part of the details."""
    width = FINE_WIDTH if level == 0 else COARSE_WIDTH
    if rng.random() < 0.25:
        sigma = TOP - int(rng.integers(PER_OCTAVE * (2 if level == 0 else 1) + 1 - width))
        return sigma, False, [(sigma - width, None)]
    steps = [(TOP, "first"), (TOP, "rest"), (TOP - width, None)]
    return TOP, True, steps[: 1 + int(rng.choice(3, p=(0.4, 0.3, 0.3)))]


def examples_of(tables, level, x, inside, codes, z, sigma, enter):
    """Network input, target, information, weight and squareWeight of src/train/examples.ts, as [batch, c, h, w]."""
    channel = torch.arange(COEFFICIENTS, device=x.device)
    seen = inside[..., None] & (codes != EXACT)
    s = sigma_of(codes.float())
    co = tables.correction[level][codes, channel]
    values = torch.where(seen, z * tables.gain[codes, channel], 0)
    target = torch.where(seen, (x - tables.mean[level][codes, channel] * z) / co.clamp(min=1e-20), 0)
    enter_precision = 1 / sigma_of(sigma.float())[:, None, None, None] ** 2
    delta = torch.where(codes == UNKNOWN, enter_precision, STEP_GAIN / s**2)
    information = torch.where(seen, co * co * delta, 0)
    weight = torch.where(seen, torch.where(enter[:, None, None, None] & (channel < 3), 0.5, 1.0), 0)
    square_weight = torch.where(seen, co * co, 0)
    inputs = torch.cat([values, tables.feature[codes]], -1)
    return [a.permute(0, 3, 1, 2) for a in (inputs, target, information, weight, square_weight)]


# --- validation --------------------------------------------------------------------------------------------------------


def validation_schedule():
    """Level, sigma code, whether entering, code after the step, sum that its bits belong to, name of its PSNR."""
    steps = []
    for level in (4, 3, 2, 1, 0):
        steps.append((level, TOP, True, TOP, "enter" if level == 0 else "coarse", None))
        width, octaves = (4, 2.5) if level == 0 else (2, 1)
        for sigma in range(TOP, TOP - int(octaves * PER_OCTAVE), -width):
            psnr = {TOP: "psnr45", TOP - 24: "psnr16"}.get(sigma) if level == 0 else None
            steps.append((level, sigma, False, sigma - width, "refine" if level == 0 else "coarse", psnr))
    return [*steps, (0, TOP - 40, False, TOP - 44, None, "psnr8")]


class Validation:
    def __init__(self, pyramids, tables, device, count=12, side=256):
        self.tables = tables
        self.levels = [[] for _ in range(LEVELS)]
        for u in [u for u in pyramids if min(u[0].shape[:2]) >= side][:count]:
            y0, x0 = ((n - side) >> 1 for n in u[0].shape[:2])
            v = u[0][y0 : y0 + side, x0 : x0 + side]
            for level in range(LEVELS):
                self.levels[level].append(torch.from_numpy(haar(v)).to(device))
                v = halve(v)

    @torch.no_grad()
    def run(self, forward, parameters):
        result = dict.fromkeys(("coarse", "enter", "refine", "psnr45", "psnr16", "psnr8"), 0.0)
        for level, sigma, enter, after, bits, psnr in validation_schedule():
            x = torch.stack(self.levels[level])
            generator = torch.Generator(x.device).manual_seed(level * 256 + sigma)
            noise = torch.randn(x.shape, generator=generator, device=x.device)
            codes = torch.full(x.shape, sigma, dtype=torch.long, device=x.device)
            if enter:
                codes[..., 3:] = UNKNOWN
            batch = len(x)
            sigmas, enters = torch.full((batch,), sigma, device=x.device), torch.full((batch,), enter, device=x.device)
            inside = torch.ones(x.shape[:3], dtype=torch.bool, device=x.device)
            z = observe(x, inside, codes, noise)
            inputs, target, _, _, square_weight = examples_of(self.tables, level, x, inside, codes, z, sigmas, enters)
            next_precision = 1 / sigma_of(torch.tensor(float(after))).item() ** 2
            present = torch.where(codes == UNKNOWN, 0, 1 / sigma_of(codes.float()) ** 2).permute(0, 3, 1, 2)
            delta = (next_precision - present).clamp(min=0)
            delta = torch.where(delta < 1e-9, 0, delta)
            output = forward(parameters, inputs, features_of(self.tables, level, sigmas, enters))
            kl, square = example_losses(output, target, square_weight * delta, (delta > 0).float(), square_weight)
            if bits is not None:
                result[bits] += kl.mean().item() * 3 / math.log(2) / 4**level
            if psnr is not None:
                result[psnr] = 10 * math.log10(255 * 255 / square.mean().item())
        result["total"] = result["coarse"] + result["enter"] + result["refine"]
        return result


# --- training ----------------------------------------------------------------------------------------------------------


class Replayed:
    """
    A function of tensors that is recorded, by their shapes, as a CUDA graph and replayed from then on: launching the
    thousand kernels of an evaluation takes longer than the arithmetic. What it returns is overwritten by the next call.
    On a CPU it is the function.
    """

    def __init__(self, function):
        self.function, self.graphs = function, {}

    def __call__(self, *inputs):
        if not inputs[0].is_cuda:
            return self.function(*inputs)
        shapes = tuple(tuple(a.shape) for a in inputs)
        if shapes not in self.graphs:
            self.graphs[shapes] = self.record([a.clone() for a in inputs])
        graph, held, outputs = self.graphs[shapes]
        torch._foreach_copy_(held, list(inputs))
        graph.replay()
        return outputs

    def record(self, held):
        # The first calls choose cuDNN's algorithms, which cannot be recorded.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.function(*held)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self.function(*held)
        return graph, held, outputs


def orthogonalise(x):
    """Newton-Schulz iterations of Muon on [n, rows, columns], rows <= columns."""
    x = x / (x.square().sum((1, 2), keepdim=True).sqrt() + 1e-12)
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x


class Optimiser:
    def __init__(self, network, parameters, average, first, second, step):
        self.parameters, self.average, self.first, self.second = parameters, average, first, second
        self.step_count = step
        matrices = set(network.matrices)
        self.others = [i for i in range(len(parameters)) if i not in matrices]
        self.orthogonalise = Replayed(orthogonalise)
        self.groups = {}
        for i in network.matrices:
            self.groups.setdefault(tuple(parameters[i].shape), []).append(i)

    @torch.no_grad()
    def step(self, gradients, rate):
        norm = torch.stack(torch._foreach_norm(gradients)).norm()
        scale = torch.where(torch.isfinite(norm), 1 / norm.clamp(min=1), 0)
        gradients = torch._foreach_mul([torch.nan_to_num(g, 0, 0, 0) for g in gradients], scale)
        t = self.step_count + 1
        torch._foreach_lerp_(self.first, gradients, 1 - BETA1)
        torch._foreach_mul_(self.second, BETA2)
        torch._foreach_addcmul_(self.second, gradients, gradients, 1 - BETA2)
        adam = rate * math.sqrt(1 - BETA2**t) / (1 - BETA1**t)
        of = lambda tensors, indices: [tensors[i] for i in indices]
        deviations = torch._foreach_add(torch._foreach_sqrt(of(self.second, self.others)), EPSILON)
        torch._foreach_add_(of(self.parameters, self.others), torch._foreach_div(of(self.first, self.others), deviations), alpha=-adam)
        momenta = torch._foreach_lerp(self.first, gradients, 1 - BETA1)
        for shape, indices in self.groups.items():
            momentum = torch.stack(of(momenta, indices)).flatten(2)
            rows, columns = momentum.shape[1:]
            straight = self.orthogonalise(momentum) if rows <= columns else self.orthogonalise(momentum.mT).mT
            straight = straight * (-rate * 0.2 * math.sqrt(max(rows, columns)))
            torch._foreach_add_(of(self.parameters, indices), [d.view(shape) for d in straight.unbind(0)])
        torch._foreach_lerp_(self.average, self.parameters, 1 - min(AVERAGE_DECAY, (1 + t) / (10 + t)))
        self.step_count += 1


class Balance:
    """Running means of KL and squared error by kind of example: (level, mode, sigma / 8)."""

    def __init__(self, known, device):
        self.means = torch.full((LEVELS * 2 * 33, 2), math.nan, device=device)
        for kind, values in known.items():
            level, mode, octave = kind.split("/")
            self.means[(int(level) * 2 + (mode == "enter")) * 33 + int(octave)] = torch.tensor(values, device=device)

    def kinds(self, level, sigma, enter):
        return (level * 2 + enter.long()) * 33 + torch.floor(sigma / 8 + 0.5).long()

    def weights(self, kinds, kl, square):
        """The first example of a kind is balanced by itself."""
        mean = self.means[kinds]
        mean = torch.where(mean.isnan(), torch.stack([kl, square], 1), mean)
        return mean[:, 0].clamp(min=1e-3) ** -BALANCE, SQUARE_SHARE / mean[:, 1].clamp(min=1e-6)

    def update(self, kinds, kl, square):
        n = len(self.means)
        values = torch.stack([kl, square], 1)
        count = torch.zeros(n, device=values.device).index_add_(0, kinds, torch.ones_like(kl))
        mean = torch.zeros(n, 2, device=values.device).index_add_(0, kinds, values) / count.clamp(min=1)[:, None]
        old = torch.where(self.means.isnan(), mean, self.means)
        seen = torch.isfinite(mean).all(1) & (count > 0)
        # In place, as recorded graphs read it there.
        self.means.copy_(torch.where(seen[:, None], old + (1 - 0.99**count)[:, None] * (mean - old), self.means))

    def known(self):
        rows = self.means.cpu().tolist()
        name = lambda i: f"{i // 66}/{'enter' if i // 33 % 2 else 'refine'}/{i % 33}"
        return {name(i): row for i, row in enumerate(rows) if not math.isnan(row[0])}


def learning_rate(step, done, peak):
    """Warm-up by steps, then as in src/train/trainer.ts by the share of the time that is over."""
    warm = min(1, (step + 1) / WARM_UP)
    if done < CONSTANT_SHARE:
        return peak * warm
    return peak * warm * (0.5 * (1 + math.cos(math.pi * (min(done, 1) - CONSTANT_SHARE) / (1 - CONSTANT_SHARE))) + 0.005)


def begin_log(log, step):
    """Leaves the lines up to a step: later ones are of a training that was broken off after its last checkpoint."""
    lines = log.read_text().splitlines(keepends=True)[1:] if log.exists() else []
    log.write_text(LOG_HEADER + "".join(line for line in lines if int(line.split(",")[0]) <= step))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of photographs, PNG or lossless WebP")
    parser.add_argument("--checkpoint", required=True, help="of dcomp train or dcomp train grow; overwritten")
    parser.add_argument("--log", required=True, help="CSV, a line a validation; continued")
    parser.add_argument("--minutes", type=float, required=True, help="at the end of which the learning rate has come down to nothing")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--validate-every", type=float, default=30, help="seconds")
    parser.add_argument("--save-every", type=float, default=60, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()

    device = torch.device(options.device)
    half = torch.bfloat16 if device.type == "cuda" else torch.float32
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True

    began = time.time()
    training, held = load(options.data)
    photographs = Photographs(training, device)
    header, arrays = read_checkpoint(options.checkpoint)
    network = Network(header["architecture"])
    tables = Tables(header["statistics"], device)
    validation = Validation(held, tables, device)
    state = [network.split(arrays[name], device) for name in ARRAYS]
    for p in state[0]:
        p.requires_grad_()
    optimiser = Optimiser(network, *state, header["step"])
    balance = Balance(header["balance"], device)
    print(f"{photographs.count} photographs, {len(validation.levels[0])} for validation, {photographs.pixels.numel() / 3e6:.0f} Mpixel, read in {time.time() - began:.1f} s", flush=True)

    forward = lambda parameters, inputs, features: network.forward(parameters, inputs.contiguous(memory_format=torch.channels_last), features, half)

    begin_log(pathlib.Path(options.log), header["step"])
    seconds_before = header["seconds"]

    def save():
        for name, tensors in zip(ARRAYS, state):
            arrays[name] = network.flat(tensors)
        header.update(step=optimiser.step_count, balance=balance.known(), seconds=seconds_before + time.time() - start)
        write_checkpoint(options.checkpoint, header, arrays)

    def validate(rate, loss):
        v = validation.run(forward, state[1])
        bits = ",".join(f"{v[k]:.5f}" for k in ("total", "coarse", "enter", "refine"))
        psnr = ",".join(f"{v[k]:.3f}" for k in ("psnr45", "psnr16", "psnr8"))
        row = f"{optimiser.step_count},{seconds_before + time.time() - start:.0f},{rate:.2e},{loss:.4f},{bits},{psnr}"
        with open(options.log, "a") as f:
            f.write(row + "\n")
        print(f"{time.time() - start:6.1f} s  {row}", flush=True)

    def ideal(level, side, batch):
        """Examples observed through an ideal channel."""
        x, inside = photographs.crops(level, side, batch)
        sigma, enter = draw_condition(level, batch, device)
        codes = draw_codes(x, inside, sigma, enter, HALF_KNOWN)
        return x, inside, codes, observe(x, inside, codes, torch.randn_like(x)), sigma, enter

    @Replayed
    @torch.no_grad()
    def evaluate(inputs, features):
        return forward(state[1], inputs, features)

    @torch.no_grad()
    def coded(level, side, batch):
        """Examples that have been coded up to some step."""
        x, inside = photographs.crops(level, side, batch)
        first, entering, steps = history(level, rng)
        limit = float(rng.choice(PASS_INFORMATION, p=LIMIT_ODDS))
        sigma, enter = torch.full((batch,), first, device=device), torch.full((batch,), entering, device=device)
        codes = draw_codes(x, inside, sigma, enter, 0)
        z = observe(x, inside, codes, torch.randn_like(x))
        parity = torch.randint(2, (batch,), device=device)
        for to, part in steps:
            inputs = examples_of(tables, level, x, inside, codes, z, sigma, enter)[0]
            output = evaluate(inputs, features_of(tables, level, sigma, enter))
            z, codes = code_step(tables, level, x, inside, codes, z, output, to, part, parity, limit)
            if part != "first":
                sigma, enter = torch.full_like(sigma, to), torch.zeros_like(enter)
        return x, inside, codes, z, sigma, enter

    @Replayed
    def gradients_of(inputs, features, kinds, *rest):
        """Gradients, loss, and KL and squared error by example."""
        kl, square = example_losses(forward(state[0], inputs, features), *rest)
        kl_weight, square_weight = balance.weights(kinds, kl.detach(), square.detach())
        loss = (kl * kl_weight + square * square_weight).mean()
        return torch.autograd.grad(loss, state[0]), loss.detach(), kl.detach(), square.detach()

    def backward(level, side, batch):
        """Gradients of a new batch, the loss, and what balances the next."""
        x, inside, codes, z, sigma, enter = (coded if rng.random() < CODED_SHARE else ideal)(level, side, batch)
        inputs, *rest = examples_of(tables, level, x, inside, codes, z, sigma, enter)
        kinds = balance.kinds(level, sigma, enter)
        gradients, loss, kl, square = gradients_of(inputs, features_of(tables, level, sigma, enter), kinds, *rest)
        return gradients, loss, kinds, kl, square

    # What is recorded is recorded before the clock starts.
    for level, side, batch in [*zip(range(LEVELS), CROP, BATCH), (0, LATE_CROP, LATE_BATCH)]:
        coded(level, side, batch)
        backward(level, side, batch)
    if device.type == "cuda":
        torch.cuda.synchronize()
    print(f"warm after {time.time() - began:.1f} s", flush=True)

    start = time.time()
    validate(0, 0)
    step, recent = 0, None
    last_validation = last_save = time.time()
    while True:
        done = (time.time() - start) / (60 * options.minutes)
        rate = learning_rate(step, done, options.rate)
        if done >= 1 or time.time() - last_validation > options.validate_every:
            validate(rate, recent.item())
            last_validation = time.time()
        if done >= 1 or time.time() - last_save > options.save_every:
            save()
            last_save = time.time()
        if done >= 1:
            break
        level = int(rng.choice(LEVELS, p=SHARE))
        side, batch = (LATE_CROP, LATE_BATCH) if level == 0 and done > LATE else (CROP[level], BATCH[level])
        gradients, loss, kinds, kl, square = backward(level, side, batch)
        with torch.no_grad():
            balance.update(kinds, kl, square)
            recent = loss.clone() if recent is None else recent + 0.01 * (loss - recent).nan_to_num(0)
        optimiser.step(gradients, rate)
        step += 1
        if step % 16 == 0 and device.type == "cuda":
            torch.cuda.synchronize()  # so that the clock, which the learning rate follows, is that of the device
    print(f"{step} steps in {time.time() - start:.1f} s; {options.checkpoint} written")


if __name__ == "__main__":
    main()
