"""The network of an architecture (src/model/architecture.ts), and its loss (src/train/loss.ts)."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from recipe import COEFFICIENTS, LOG_VARIANCE_MAX, LOG_VARIANCE_MIN


def condition_features(conditioning):
    """Length of the features that the conditioning is computed from."""
    told = 3 if conditioning.get("sigma", True) else 0
    return told + conditioning["levels"] + conditioning.get("classes", 0)


class Network:
    """On [batch, channels, h, w]; weights have PyTorch's layout."""

    def __init__(self, architecture):
        self.layers = architecture["layers"]
        self.conditioning = architecture["conditioning"]
        channels = {t["name"]: t["channels"] for t in architecture["tensors"]}
        self.channels = channels
        features, hidden = condition_features(self.conditioning), self.conditioning["hidden"]
        modulation = sum(2 * channels[layer["to"]] for layer in self.layers if layer["conditioned"])
        self.specs = []  # name, shape in the file, axes of PyTorch's layout
        for layer in self.layers:
            k = 3 if layer["kind"] == "conv3x3" else 2
            shape = (k, k, channels[layer["from"]], channels[layer["to"]])
            axes = (2, 3, 0, 1) if layer["kind"] == "up2x2" else (3, 2, 0, 1)
            self.specs += [(f"{layer['name']}.w", shape, axes), (f"{layer['name']}.b", shape[3:], (0,))]
        dense = {"w1": (features, hidden), "b1": (hidden,), "w2": (hidden, modulation), "b2": (modulation,)}
        for name, shape in dense.items():
            self.specs.append((f"cond.{name}", shape, tuple(range(len(shape)))))
        self.index = {name: i for i, (name, _, _) in enumerate(self.specs)}
        self.matrices = [self.index[f"{layer['name']}.w"] for layer in self.layers[1:-1]]

    def split(self, flat, device):
        """A flat array of a checkpoint as tensors."""
        tensors, offset = [], 0
        for _, shape, axes in self.specs:
            n = math.prod(shape)
            part = flat[offset : offset + n].reshape(shape).transpose(axes)
            tensors.append(torch.from_numpy(part.copy()).to(device))
            offset += n
        if offset != len(flat):
            raise SystemExit(f"the checkpoint holds {len(flat)} numbers, its architecture {offset}")
        return tensors

    def flat(self, tensors):
        """The inverse of `split`."""
        parts = []
        for tensor, (_, _, axes) in zip(tensors, self.specs):
            parts.append(tensor.detach().float().cpu().numpy().transpose(np.argsort(axes)).reshape(-1))
        return np.concatenate(parts)

    def forward(self, parameters, x, features, half, shift=None):
        """
        The first layer in float32, as it sees the picture itself; the rest in `half`. Returns float32.
        features: [batch, n], or [1, n] when all examples share them: then the modulation goes into the weights.
        shift: [batch, gammas and betas] of each example's class, or none.
        """
        p = lambda name: parameters[self.index[name]]
        modulation = F.relu(features @ p("cond.w1") + p("cond.b1")) @ p("cond.w2") + p("cond.b2")
        if shift is not None:
            modulation = modulation + shift
        shared = len(modulation) == 1
        tensors = {"input": x}
        column = 0
        for layer in self.layers:
            name, source, c = layer["name"], tensors[layer["from"]], self.channels[layer["to"]]
            dtype = torch.float32 if layer["from"] == "input" else half
            w, bias, gain = p(f"{name}.w"), p(f"{name}.b"), None
            if layer["conditioned"]:
                gain = modulation[:, column : column + c] + 1
                bias = bias * gain + modulation[:, column + c : column + 2 * c]
                column += 2 * c
                if shared:
                    w = w * (gain[0][:, None, None, None] if layer["kind"] != "up2x2" else gain[0][:, None, None])
                    bias = bias[0]
            fused = bias.to(dtype) if bias.dim() == 1 else None
            w = w.to(dtype).contiguous(memory_format=torch.channels_last)
            if layer["kind"] == "conv3x3":
                y = F.conv2d(source, w, fused, padding=1)
            elif layer["kind"] == "down2x2":
                y = F.conv2d(source, w, fused, stride=2)
            else:
                y = F.conv_transpose2d(source, w, fused, stride=2)
            if fused is None:
                y = y * gain.to(dtype)[:, :, None, None] + bias.to(dtype)[:, :, None, None]
            if "add" in layer:
                y = y + tensors[layer["add"]]
            if layer["relu"]:
                y = F.relu(y)
            tensors[layer["to"]] = y.to(half)
        return tensors[self.layers[-1]["to"]].float()


def example_losses(output, target, information, weight, square_weight):
    """By example: KL in nats and squared error, averaged over the grid. [batch, 12, h, w]; output [batch, 24, h, w]."""
    correction = output[:, :COEFFICIENTS]
    log_variance = output[:, COEFFICIENTS:].clamp(LOG_VARIANCE_MIN, LOG_VARIANCE_MAX)
    error2 = (target - correction).square()
    expected = information * torch.exp2(log_variance) + 1
    actual = information * error2 + 1
    kl = (expected.log() + actual / expected - 1) * (weight * 0.5)
    return kl.mean((1, 2, 3)), (error2 * square_weight).mean((1, 2, 3))


def initialise(network, seed):
    """The first weights as a flat array (src/train/initialise.ts has the rule; the numbers are of another generator)."""
    rng = np.random.default_rng(seed)
    layers = {f"{layer['name']}.w": layer for layer in network.layers}
    parts = []
    for name, shape, _ in network.specs:
        if len(shape) == 1:
            parts.append(np.zeros(shape, np.float32))
            continue
        layer = layers.get(name)
        fields = 1 if layer is None or layer["kind"] == "up2x2" else shape[0] * shape[1]
        doubled = name == "cond.w1" or (layer is not None and layer["relu"])
        gain = math.sqrt((2 if doubled else 1) / (fields * shape[-2]))
        if name == "cond.w2" or (layer is not None and "add" in layer and layer["kind"] == "conv3x3"):
            gain *= 0.3
        if name == "out.w":
            gain *= 0.1
        parts.append((rng.standard_normal(shape) * gain).astype(np.float32))
    return np.concatenate([part.reshape(-1) for part in parts])
