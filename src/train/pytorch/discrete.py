"""
`discrete`: a checkpoint of the discrete model: absorbing-state diffusion (Austin et al., "Structured denoising diffusion
models in discrete state-spaces", 2021, section 3) over the tokens of level 3 (Gu et al., "Vector quantized diffusion
model for text-to-image synthesis", 2022). Tokens are masked independently with probability t, and the network says what
each may be by those that are left; `dcomp train discrete` makes the model file of it.
"""

import math
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F

from begin import OUTPUTS, u_net
from checkpoint import ARRAYS, read_checkpoint, write_checkpoint
from clusters import SIDE, read_clusters, statistics_of
from codebook import FINER, LEVEL, Codebook, codebook_of, coefficients, reduced
from network import Network, condition_features, initialise
from observations import sigma_of
from optimiser import Optimiser, learning_rate
from photographs import FIXED, haar, listed, pyramid
from recipe import COEFFICIENTS, LOG_VARIANCE_MAX, LOG_VARIANCE_MIN, UNKNOWN
from trainer import read_photographs

# Positions a side of a crop: a picture of 256×256, or a smaller or larger one; and how many make a batch.
CROPS, ODDS = [(16, 24), (24, 12), (12, 40)], [0.6, 0.25, 0.15]
# Odds that a level coarser is taken as if it were level 3; a quarter is of one finer (Photographs.patches).
COARSER = 0.2
# Odds that a class that is known is not told.
DROPPED = 0.15
# Pixels from one place to the next of which the class is found out.
STRIDE = 128
# The network's numbers end there, as in its integer form.
BOUND = 32.0
# Shares of the tokens that are masked when it is validated.
VALIDATED = (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)


class Classes:
    """Of regions of the photographs, on a grid of places: at their full size and at half of it."""

    def __init__(self, photographs, clusters, keep):
        if keep is not None and pathlib.Path(keep).exists():
            self.found = torch.from_numpy(np.load(keep))
        else:
            self.found = self.find(photographs, clusters)
            if keep is not None:
                np.save(keep, self.found.numpy())

    def find(self, photographs, clusters):
        """[2, photographs, rows, columns], −1 where there is no such region."""
        n = photographs.count
        sizes = torch.stack([photographs.heights[: n * 2], photographs.widths[: n * 2]], 1)
        most = int((sizes.max() - SIDE).clamp(min=0)) // STRIDE + 1
        found = torch.full((2, n, most, most), -1)
        for k, (height, width) in enumerate(sizes.tolist()):
            start = photographs.starts[k]
            plane = photographs.pixels[start : start + height * width].reshape(height, width, 3)
            for y in range(0, height - SIDE + 1, STRIDE):
                for x in range(0, width - SIDE + 1, STRIDE):
                    u = plane[y : y + SIDE, x : x + SIDE].numpy().astype(np.float32) / FIXED
                    found[k // n, k % n, y // STRIDE, x // STRIDE] = int(clusters.classes_of(statistics_of(u)[None])[0])
        return found

    def of(self, patches):
        """Of each patch, −1 for none: of one of another size, turned or recoloured, and at times of any."""
        scale = patches.level - (LEVEL - FINER)  # 0 for what is level 3, −1 for one finer
        known = patches.plain & (scale >= 0) & (torch.rand(len(scale)) >= DROPPED)
        at = [((v * 2**FINER // 2) / STRIDE).round().long().clamp(max=self.found.shape[2] - 1) for v in (patches.y, patches.x)]
        return torch.where(known, self.found[scale.clamp(0, 1), patches.photograph, at[0], at[1]], -1)


class Discrete:
    """A network, and the layer that makes logits of its outputs."""

    def __init__(self, architecture, codebook, scales):
        self.network, self.codebook, self.scales = Network(architecture), codebook, scales
        self.conditioning = architecture["conditioning"]
        # Of centroids: z / sqrt(sigma² + scale²), and what says how precise they are (src/model/inputs.ts).
        sigma = sigma_of(codebook.codes)
        feature = (sigma.log2().clamp(-2, 9) - math.log2(12)) / 2.5
        known = torch.cat([codebook.centres / (sigma**2 + scales**2).sqrt(), feature], 1)
        masked = torch.cat([torch.zeros(COEFFICIENTS), torch.full((COEFFICIENTS,), (9 - math.log2(12)) / 2.5)])
        self.inputs = torch.cat([known, masked[None]])

    def features(self, classes):
        """[batch, features]; [1, features] where none has a class."""
        if (classes < 0).all():
            classes = classes[:1]
        features = torch.zeros(len(classes), condition_features(self.conditioning))
        features[:, 0] = 1
        told = classes >= 0
        features[told, self.conditioning["levels"] + classes[told]] = 1
        return features

    def logits(self, parameters, tokens, seen, wanted, classes, half):
        """Natural logits of tokens that are wanted, by those that are seen: [wanted, count]."""
        seen = torch.where(seen, tokens, len(self.codebook.centres))
        x = self.inputs[seen].permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        *own, matrix, bias = parameters
        out = self.network.forward(own, x, self.features(classes), half).clamp(-BOUND, BOUND)
        out = torch.cat([out[:, :COEFFICIENTS], out[:, COEFFICIENTS:].clamp(LOG_VARIANCE_MIN, LOG_VARIANCE_MAX)], 1)
        return out.permute(0, 2, 3, 1)[wanted] @ matrix + bias


def first_head(codebook, seed):
    """Of each channel, centroids and their squares: so outputs begin as what Gaussians need."""
    generator = torch.Generator().manual_seed(seed)
    c = codebook.centres
    spread = c.std(0)
    rows = torch.cat([c / spread, -0.25 * (c / spread) ** 2], 1).T
    return rows + 0.1 * torch.randn(rows.shape, generator=generator), torch.zeros(len(c))


def head_of(known, name):
    """Matrix and biases; a compact checkpoint has the averaged ones alone."""
    matrix, biases = (np.array(v, np.float32) for v in known.get(name, known["average"]))
    return [v * (name in known or name == "parameters") for v in (matrix, biases)]


class Held:
    """Middles of the photographs that are held back, and which of their tokens are masked."""

    def __init__(self, folders, codebook):
        paths, held = listed(folders)
        parts = []
        for path in [p for p, back in zip(paths, held) if back]:
            u = pyramid(path)[0].astype(np.float32) / FIXED
            y, x = ((n - SIDE) // 2 for n in u.shape[:2])
            if min(y, x) < 0:
                continue
            u = torch.from_numpy(u[y : y + SIDE, x : x + SIDE])[None]
            for _ in range(LEVEL):
                u = reduced(u)
            parts.append(haar(u))
        self.tokens = codebook.tokens_of(torch.cat(parts))
        generator = torch.Generator().manual_seed(1)
        draw = lambda: torch.rand(self.tokens.shape, generator=generator)
        self.masks = [draw() < t for t in VALIDATED]

    @torch.no_grad()
    def bits(self, model, parameters, half):
        """Of a masked token, by share of the masked."""
        none = torch.full((len(self.tokens),), -1)
        losses = (
            F.cross_entropy(model.logits(parameters, self.tokens, ~masked, masked, none, half), self.tokens[masked]).item()
            for masked in self.masks
        )
        return [loss / math.log(2) for loss in losses]


def masked_at_random(inside):
    """Each with probability t, spread over the batch; at least one of each example. Returns t, too."""
    batch = len(inside)
    t = (torch.arange(batch) + torch.rand(1)) / batch
    t = t[torch.randperm(batch)].clamp(min=1e-2)
    return (torch.rand(inside.shape) < t[:, None, None]) & inside, t


class Training:
    def __init__(self, options):
        self.options = options
        self.photographs, _ = read_photographs(options, torch.device("cpu"))
        self.half = torch.float32 if options.full else torch.bfloat16
        if pathlib.Path(options.checkpoint).exists():
            header, arrays = read_checkpoint(options.checkpoint)
        else:
            header, arrays = self.begin()
        self.header = header
        known = header["discrete"]
        to = lambda name: torch.tensor(known[name], dtype=torch.float32)
        codebook = Codebook(to("centres"), to("codes"))
        self.model = Discrete(header["architecture"], codebook, torch.tensor(header["statistics"]["inputScale"]))
        self.state = [[*self.model.network.split(arrays[n], "cpu"), *map(torch.tensor, head_of(known, n))] for n in ARRAYS]
        for p in self.state[0]:
            p.requires_grad_()
        self.optimiser = Optimiser(self.model.network, *self.state, header["step"], header["moments"], half=self.half)
        self.held = Held(options.data, codebook)
        clusters = read_clusters(options.clusters)
        self.classes = Classes(self.photographs, clusters, options.regions)

    def begin(self):
        options = self.options
        numbers = lambda text: [int(n) for n in text.split(",")]
        codebook = codebook_of(self.photographs, options.tokens, options.seed)
        spread = codebook.centres.std(0)
        statistics = {"prior": spread.tolist(), "inputScale": (0.5 * spread).tolist()}
        sizes = numbers(options.channels), numbers(options.blocks), options.hidden
        architecture = u_net(*sizes, len(read_clusters(options.clusters).centres), levels=1)
        weights = initialise(Network(architecture), options.seed)
        head = [a.numpy() for a in first_head(codebook, options.seed)]
        arrays = dict(zip(ARRAYS, (weights, weights.copy(), 0 * weights, 0 * weights)))
        known = {"centres": codebook.centres.tolist(), "codes": codebook.codes.int().tolist()}
        known.update({name: [(a if i < 2 else 0 * a).tolist() for a in head] for i, name in enumerate(ARRAYS)})
        header = {"architecture": architecture, "statistics": statistics, "step": 0, "moments": 0}
        return {**header, "seed": options.seed, "seconds": 0, "balance": {}, "discrete": known}, arrays

    def save(self, seconds):
        arrays = {name: self.model.network.flat(tensors[:-2]) for name, tensors in zip(ARRAYS, self.state)}
        for name, tensors in zip(ARRAYS, self.state):
            self.header["discrete"][name] = [t.tolist() for t in tensors[-2:]]
        counts = {"step": self.optimiser.step_count, "moments": self.optimiser.moments}
        self.header.update(counts, seconds=seconds)
        write_checkpoint(self.options.checkpoint, self.header, arrays)

    def loss(self, rng):
        """Cross entropy of a batch in bits a token, of the masked ones over t."""
        side, batch = CROPS[rng.choice(len(CROPS), p=ODDS)]
        level = LEVEL + int(rng.random() < COARSER)
        x, inside, patches = coefficients(self.photographs, level, side, batch)
        tokens = self.model.codebook.tokens_of(x)
        masked, t = masked_at_random(inside)
        # What is outside of a photograph is unknown for good, as in the padding of the network's grid.
        seen = inside & ~masked
        logits = self.model.logits(self.state[0], tokens, seen, masked, self.classes.of(patches), self.half)
        own = masked.nonzero()[:, 0]
        weight = 1 / (t * inside.flatten(1).sum(1).clamp(min=1))[own]
        return (F.cross_entropy(logits, tokens[masked], reduction="none") * weight).sum() / batch / math.log(2)

    def validate(self, begun, rate, loss):
        bits = self.held.bits(self.model, self.state[1], self.half)
        row = [str(self.optimiser.step_count), f"{self.header['seconds'] + time.time() - begun:.0f}", f"{rate:.2e}"]
        row += [f"{loss:.4f}", *(f"{b:.4f}" for b in [sum(bits) / len(bits), *bits])]
        with open(self.options.log, "a") as f:
            f.write(",".join(row) + "\n")
        print(" ".join(row), flush=True)

    def run(self):
        options = self.options
        rng = np.random.default_rng([options.seed, self.header["step"]])
        torch.manual_seed(options.seed * 1000003 + self.header["step"])
        if not pathlib.Path(options.log).exists():
            columns = ["step", "seconds", "rate", "loss", "held", *(f"masked{t}" for t in VALIDATED)]
            pathlib.Path(options.log).write_text(",".join(columns) + "\n")
        begun = validated = saved = time.time()
        before, recent = self.header["seconds"], 0.0
        while True:
            done = (before + time.time() - begun) / (60 * options.minutes)
            rate = learning_rate(self.optimiser.step_count, done, options.rate)
            if done >= 1 or time.time() - validated > options.validate_every:
                self.validate(begun, rate, recent)
                validated = time.time()
            if done >= 1 or time.time() - saved > options.save_every:
                self.save(before + time.time() - begun)
                self.header["seconds"] = before
                saved = time.time()
            if done >= 1:
                return
            loss = self.loss(rng)
            gradients = torch.autograd.grad(loss, self.state[0])
            self.optimiser.step([g.detach() for g in gradients], rate)
            recent += 0.01 * (loss.item() - recent) if recent else loss.item()


def discrete(options):
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    Training(options).run()
