"""Denoising as the field measures it (bench/protocol.ts does it with the integer network, and has the protocol)."""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from examples import examples_of, features_of
from photographs import haar, rotate_colours
from recipe import COEFFICIENTS, code_of

SIGMAS = (15, 25, 50)


def restore(u):
    """RGB of rotated colours, not rounded; clipped."""
    l, p, q = u[..., 0] / 3**0.5 + 127.5, u[..., 1] / 2**0.5, u[..., 2] / 6**0.5
    return torch.stack([l + p + q, l - p + q, l - 2 * q], -1).clamp(0, 255)


def inverse_haar(c):
    a, b, d, e = (c[..., i : i + 3] for i in range(0, COEFFICIENTS, 3))
    rows = [torch.stack(pair, -2) for pair in ((a + b + d + e, a - b + d - e), (a + b - d - e, a - b - d + e))]
    h, w = c.shape[1:3]
    return torch.stack([row.flatten(2, 3) for row in rows], 2).reshape(len(c), 2 * h, 2 * w, 3) / 2


@torch.no_grad()
def denoised(model, rgb, sigma):
    """PSNR of one picture over all samples, after one evaluation."""
    generator = torch.Generator().manual_seed(sigma)
    clean = torch.from_numpy(rotate_colours(rgb)[None])
    noisy = clean + sigma * torch.randn(clean.shape, generator=generator)
    height, width = rgb.shape[:2]
    # To the network's grid: what is beyond the picture is unknown.
    pad = [0, -width % 16, 0, -height % 16]
    x, z = (haar(F.pad(u.permute(0, 3, 1, 2), pad).permute(0, 2, 3, 1)) for u in (clean, noisy))
    inside = torch.zeros(x.shape[:3], dtype=torch.bool)
    inside[:, : height // 2, : width // 2] = True
    code = float(code_of(np.log2(sigma)))
    codes = torch.where(inside[..., None], code, 255.0).expand(x.shape)
    z = torch.where(inside[..., None], z, 0)
    sigmas, enter = torch.full((1,), code), torch.zeros(1, dtype=torch.bool)
    inputs = examples_of(model.normalisation, 0, x, inside, codes, z, sigmas, enter)[0]
    output = model.forward(model.state[1], inputs, features_of(model.conditioning, 0, sigmas, enter))
    sigma_told = torch.tensor(2 ** ((code - 80) / 16))
    gain = model.normalisation.mean_gain(0, sigma_told), model.normalisation.correction(0, sigma_told)
    mean = gain[0] * z + gain[1] * output.permute(0, 2, 3, 1)[..., :COEFFICIENTS]
    shown = restore(inverse_haar(mean)[:, :height, :width])
    error = (shown[0, : height & ~1, : width & ~1] - torch.from_numpy(rgb.astype(np.float32))[: height & ~1, : width & ~1])
    return 10 * np.log10(255**2 / error.square().mean().item())


def denoise(options):
    from trainer import Model

    if options.threads:
        torch.set_num_threads(options.threads)
    model = Model(options.checkpoint, torch.device("cpu"), torch.float32)
    paths = sorted(p for p in pathlib.Path(options.data).iterdir() if p.suffix == ".png")
    scores = {sigma: {} for sigma in SIGMAS}
    for path in [p for p in paths if p.name.startswith(options.prefix)]:
        rgb = np.asarray(Image.open(path).convert("RGB"))
        for sigma in SIGMAS:
            scores[sigma][path.name] = denoised(model, rgb, sigma)
    for sigma, of in scores.items():
        theirs = [score for name, score in of.items() if name.startswith("mcm")]
        apart = f", McMaster ({len(theirs)}) {np.mean(theirs):.3f} dB" if theirs else ""
        print(f"denoising at sigma {sigma}: {np.mean(list(of.values())):.3f} dB{apart}", flush=True)
