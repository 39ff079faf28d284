"""Muon for the matrices, Adam for the rest, a running average of the weights, balanced losses (src/train/muon.ts)."""

import math

import torch

from recipe import LEVELS, RECIPE

O = RECIPE["optimiser"]
KINDS = LEVELS * 2 * 33


def orthogonalise(x, half=torch.float32):
    """
    Newton-Schulz iterations of Muon on [n, rows, columns], rows <= columns. In `half`: singular values end anywhere
    from 0.7 to 1.2 as it is, and in float32 it would be a third of a step of a large network on a processor.
    """
    a, b, c = O["muon"]["coefficients"]
    x = (x / (x.square().sum((1, 2), keepdim=True).sqrt() + 1e-12)).to(half)
    if half != torch.float32:
        for _ in range(O["muon"]["iterations"]):
            gram = x @ x.mT
            x = a * x + (b * gram + c * gram @ gram) @ x
        return x.float()
    # The same polynomials of the gram matrix alone: less arithmetic by half and more, where columns are many.
    gram, one = x @ x.mT, torch.eye(x.shape[1], device=x.device)
    product = one
    for _ in range(O["muon"]["iterations"]):
        factor = a * one + b * gram + c * gram @ gram
        product, gram = factor @ product, factor @ gram @ factor
    return product @ x


def clipped(gradients):
    """Of norm O["clip"] at most; none when they are not finite."""
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    scale = torch.where(torch.isfinite(norm), O["clip"] / norm.clamp(min=O["clip"]), 0)
    return torch._foreach_mul([torch.nan_to_num(g, 0, 0, 0) for g in gradients], scale)


class Optimiser:
    """All arrays are lists of tensors, changed in place. moments: steps that the moments have seen; half: of Muon."""

    def __init__(self, network, parameters, average, first, second, step, moments, replayed=lambda f: f, half=torch.float32):
        self.parameters, self.average, self.first, self.second = parameters, average, first, second
        self.step_count, self.moments, self.averaging = step, moments, O["average"]
        matrices = set(network.matrices)
        self.others = [i for i in range(len(parameters)) if i not in matrices]
        self.orthogonalise = replayed(lambda x: orthogonalise(x, half))
        self.groups = {}
        for i in network.matrices:
            self.groups.setdefault(tuple(parameters[i].shape), []).append(i)

    @torch.no_grad()
    def step(self, gradients, rate):
        """One step. A gradient that is not finite counts as none."""
        gradients = clipped(gradients)
        beta1, beta2 = O["beta1"], O["beta2"]
        t = self.moments + 1
        torch._foreach_lerp_(self.first, gradients, 1 - beta1)
        torch._foreach_mul_(self.second, beta2)
        torch._foreach_addcmul_(self.second, gradients, gradients, 1 - beta2)
        adam = rate * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        of = lambda tensors, indices: [tensors[i] for i in indices]
        deviations = torch._foreach_add(torch._foreach_sqrt(of(self.second, self.others)), O["epsilon"])
        moves = torch._foreach_div(of(self.first, self.others), deviations)
        torch._foreach_add_(of(self.parameters, self.others), moves, alpha=-adam)
        momenta = torch._foreach_lerp(self.first, gradients, 1 - beta1)
        for shape, indices in self.groups.items():
            momentum = torch.stack(of(momenta, indices)).flatten(2)
            rows, columns = momentum.shape[1:]
            straight = self.orthogonalise(momentum) if rows <= columns else self.orthogonalise(momentum.mT).mT
            straight = straight * (-rate * O["muon"]["rms"] * math.sqrt(max(rows, columns)))
            torch._foreach_add_(of(self.parameters, indices), [d.reshape(shape) for d in straight.unbind(0)])
        decay = min(self.averaging, (1 + self.step_count + 1) / (10 + self.step_count + 1))
        torch._foreach_lerp_(self.average, self.parameters, 1 - decay)
        self.step_count += 1
        self.moments += 1


class Balance:
    """Running means of KL and squared error by kind of example: (level, mode, sigma / 8)."""

    def __init__(self, known, device):
        self.means = torch.full((KINDS, 2), math.nan, device=device)
        for kind, values in known.items():
            level, mode, octave = kind.split("/")
            at = (int(level) * 2 + (mode == "enter")) * 33 + int(octave)
            self.means[at] = torch.tensor(values, device=device)

    def kinds(self, level, sigma, enter):
        return (level * 2 + enter.long()) * 33 + torch.floor(sigma / 8 + 0.5).long()

    def weights(self, kinds, kl, square):
        """The first example of a kind is balanced by itself, as is in part one far above its kind's mean."""
        loss = RECIPE["loss"]
        own = torch.stack([kl, square], 1)
        mean = self.means[kinds]
        mean = torch.where(mean.isnan(), own, mean).maximum(own / loss["outlier"])
        return mean[:, 0].clamp(min=1e-3) ** -loss["balance"], loss["square"] / mean[:, 1].clamp(min=1e-6)

    def sums(self, kinds, kl, square):
        """Of a batch, by kind: examples, KL and squared errors."""
        values = torch.stack([torch.ones_like(kl), kl, square], 1)
        return torch.zeros(KINDS, 3, device=values.device).index_add_(0, kinds, values)

    def update(self, sums):
        count = sums[:, 0]
        mean = sums[:, 1:] / count.clamp(min=1)[:, None]
        old = torch.where(self.means.isnan(), mean, self.means)
        seen = torch.isfinite(mean).all(1) & (count > 0)
        share = 1 - (1 - RECIPE["loss"]["balanceRate"]) ** count
        # In place, as recorded graphs read it there.
        self.means.copy_(torch.where(seen[:, None], old + share[:, None] * (mean - old), self.means))

    def known(self):
        """As in a checkpoint."""
        rows = self.means.cpu().tolist()
        name = lambda i: f"{i // 66}/{'enter' if i // 33 % 2 else 'refine'}/{i % 33}"
        return {name(i): row for i, row in enumerate(rows) if not math.isnan(row[0])}


def learning_rate(step, done, peak):
    """Warm-up by steps, constant, then a cosine (src/train/trainer.ts), by the share of the training that is over."""
    warm = min(1, (step + 1) / O["warmUp"])
    if done < O["constant"]:
        return peak * warm
    fall = (min(done, 1) - O["constant"]) / (1 - O["constant"])
    return peak * warm * (0.5 * (1 + math.cos(math.pi * fall)) + O["floor"])
