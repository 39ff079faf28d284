"""
A batch that both trainers must agree about: its losses, the norms of its gradients, and one step of the optimiser.
Everything that goes in is a formula of whole numbers, so that both make the same; what comes out is stored
(test/train-fixture.json). In float32 throughout.
"""

import json
import pathlib

import numpy as np
import torch

from begin import u_net
from examples import Normalisation, examples_of, features_of
from network import Network, example_losses
from observations import sigma_of
from optimiser import Balance, Optimiser
from recipe import COEFFICIENTS, EXACT, LEVELS, UNKNOWN

BATCH, GRID, LEVEL, RATE = 3, 8, 1, 1e-3
# Reference sigma code and whether entering, by example; the second overhangs the picture by two columns.
CONDITIONS = ((150, True), (120, False), (60, False))
OVERHANG = (0, 2, 0)
KNOWN_BALANCE = {"1/enter/19": [0.2, 40.0], "1/refine/15": [0.1, 9.0]}


def spread(count, first):
    """Numbers in [-0.5, 0.5), a multiplicative hash of first, first + 1, …"""
    bits = (np.arange(first, first + count, dtype=np.uint64) * np.uint64(2654435761)) % np.uint64(2**32)
    return bits / 2**32 - 0.5


def statistics():
    of = lambda level, c: (200 if c < 3 else 12) / (1 + c % 3) * 0.8**level
    prior = [of(level, c) for level in range(LEVELS) for c in range(COEFFICIENTS)]
    return {"prior": prior, "inputScale": [24, 10, 10] + 3 * [8, 4, 4]}


def observation():
    """x, inside, codes and z, [batch, grid, grid, 12]."""
    n = BATCH * GRID * GRID * COEFFICIENTS
    shape = (BATCH, GRID, GRID, COEFFICIENTS)
    x = (80 * spread(n, 10**6)).reshape(shape)
    draw = (100 * (spread(n, 2 * 10**6) + 0.5)).reshape(shape)
    codes = np.empty(shape)
    for b, (sigma, enter) in enumerate(CONDITIONS):
        codes[b] = sigma + np.floor(draw[b] / 10)
        if enter:
            codes[b, :, :, 3:] = UNKNOWN
    codes = np.where(draw < 5, UNKNOWN, np.where(draw > 97, EXACT, codes))
    inside = np.stack([np.broadcast_to(np.arange(GRID) < GRID - more, (GRID, GRID)) for more in OVERHANG])
    codes = np.where(inside[..., None], codes, UNKNOWN)
    to = lambda a: torch.from_numpy(np.ascontiguousarray(a, np.float32))
    x, codes, inside = to(x), to(codes), torch.from_numpy(inside.copy())
    noise = to(3 * spread(n, 3 * 10**6).reshape(shape))
    known = (codes != UNKNOWN) & (codes != EXACT)
    return x, inside, codes, torch.where(known, x + torch.where(known, sigma_of(codes), 0) * noise, 0)


def outcome():
    """What both trainers must find."""
    network = Network(u_net([8, 16], [1, 2], hidden=8, classes=2))
    device = torch.device("cpu")
    count = sum(int(np.prod(shape)) for _, shape, _ in network.specs)
    flat = (0.3 * spread(count, 1)).astype(np.float32)
    parameters = [p.requires_grad_() for p in network.split(flat, device)]
    x, inside, codes, z = observation()
    sigma = torch.tensor([float(s) for s, _ in CONDITIONS])
    enter = torch.tensor([e for _, e in CONDITIONS])
    inputs, *rest = examples_of(Normalisation(statistics(), device), LEVEL, x, inside, codes, z, sigma, enter)
    features = features_of(network.conditioning, LEVEL, sigma, enter)
    kl, square = example_losses(network.forward(parameters, inputs, features, torch.float32), *rest)
    balance = Balance(KNOWN_BALANCE, device)
    kl_weight, square_weight = balance.weights(balance.kinds(LEVEL, sigma, enter), kl.detach(), square.detach())
    loss = (kl * kl_weight + square * square_weight).mean()
    gradients = torch.autograd.grad(loss, parameters)
    norms = lambda tensors: {name: t.norm().item() for (name, _, _), t in zip(network.specs, tensors)}
    before = [p.detach().clone() for p in parameters]
    state = [[p.detach().clone() for p in before] for _ in range(2)]
    moments = [[torch.zeros_like(p) for p in before] for _ in range(2)]
    Optimiser(network, *state, *moments, step=0, moments=0).step(list(gradients), RATE)
    return {
        "kl": kl.tolist(),
        "square": square.tolist(),
        "loss": loss.item(),
        "gradients": norms(gradients),
        "changes": norms([after - p for after, p in zip(state[0], before)]),
        "averageChanges": norms([after - p for after, p in zip(state[1], before)]),
    }


def fixture(options):
    """Writes the outcome, or compares with the one that is stored: relative to 1e-3."""
    made = outcome()
    if not options.check:
        pathlib.Path(options.file).write_text(json.dumps(made, indent=1) + "\n")
        return
    stored = json.loads(pathlib.Path(options.file).read_text())
    for name, value in made.items():
        flat = lambda v: list(v.values()) if isinstance(v, dict) else v if isinstance(v, list) else [v]
        np.testing.assert_allclose(flat(value), flat(stored[name]), rtol=1e-3, atol=1e-9, err_msg=name)
    print(f"{options.file}: as stored")
