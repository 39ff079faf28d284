"""
What is lost to the eye, with gradients: SSIMULACRA 2 (src/metrics/ssimulacra2.ts has the sources and the steps; the
reference's recursive blur is the Gaussian that it stands for here).
"""

import math

import torch
import torch.nn.functional as F

SCALES, C2, BIAS = 6, 0.0009, 0.0037930732552754493
LMS = ((0.3, 0.622, 0.078), (0.23, 0.692, 0.078), (0.24342268924547819, 0.20476744424496821, 0.5518098665095536))
# By channel, scale, norm, map: those that count for more than 0.01, by their place.
WEIGHTS = {
    9: 1.1041726426657346, 15: 1.8422455520539298, 16: 11.441172603757666, 21: 1.8787594979546387,
    22: 10.94906990605142, 25: 0.9677937080626833, 28: 0.9981766977854967, 39: 7.466890328078848,
    41: 17.445833984131262, 45: 6.683678146179332, 47: 1.027889937768264, 48: 225.20515300849274,
    51: 19.213238186143016, 54: 176.39317598450694, 57: 24.43300999870476, 58: 0.28520802612117757,
    63: 34.77906344483772, 64: 44.835625328877896, 93: 8.826982764996862, 94: 23.19243343998926,
    96: 95.1080498811086, 97: 0.9863978034400682, 98: 0.9834382792465353, 100: 171.2667255897307,
    101: 0.9807858872435379,
}  # fmt: skip


def rgb_of(coefficients):
    """Haar coefficients of level 0, [batch, h, w, 12], as RGB from 0 to 1, [batch, 3, 2h, 2w]."""
    ll, lh, hl, hh = coefficients.unflatten(-1, (4, 3)).unbind(-2)
    rows = [torch.stack([ll + lh + t, ll - lh + s], 3) for t, s in ((hl + hh, hl - hh), (-hl - hh, hh - hl))]
    u = torch.stack(rows, 2).flatten(3, 4).flatten(1, 2) * 0.5
    l, p, q = u[..., 0] / math.sqrt(3) + 127.5, u[..., 1] / math.sqrt(2), u[..., 2] / math.sqrt(6)
    return torch.stack([l + p + q, l - p + q, l - 2 * q], 1) / 255


def xyb_of(linear):
    """Of linear RGB; positive, as SSIM expects."""
    cones = torch.einsum("ij,bjhw->bihw", torch.tensor(LMS, device=linear.device), linear)
    l, m, s = (cones + BIAS).pow(1 / 3).sub(BIAS ** (1 / 3)).unbind(1)
    y = 0.5 * (l + m)
    return torch.stack([7 * (l - m) + 0.42, y + 0.01, s - y + 0.55], 1)


def scales_of(rgb):
    """XYB at each scale; halved in linear light."""
    # The slope is kept where a colour is clipped, or it could not come back.
    rgb = rgb + (rgb.clamp(0, 1) - rgb).detach()
    rgb = rgb.clamp(min=1e-4)
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0.04) + 0.055) / 1.055) ** 2.4)
    for scale in range(SCALES):
        if min(linear.shape[2:]) < 8:
            return
        linear = F.avg_pool2d(linear, 2) if scale > 0 else linear
        yield xyb_of(linear)


def blur(x):
    taps = torch.exp(torch.arange(-5.0, 6.0, device=x.device) ** 2 / -4.5)
    taps = (taps / taps.sum()).expand(x.shape[1], 1, 1, -1)
    x = F.conv2d(x, taps, padding=(0, 5), groups=x.shape[1])
    return F.conv2d(x, taps.mT, padding=(5, 0), groups=x.shape[1])


def norms(map_):
    """Mean and 4-norm by example and channel."""
    return map_.mean((2, 3)), ((map_**4).mean((2, 3)) + 1e-12) ** 0.25


def scores(source, decoded):
    """SSIMULACRA 2 of crops by example, of their coefficients [batch, h, w, 12], of at least 64 positions a side."""
    found = []
    for x, y in zip(scales_of(rgb_of(source)), scales_of(rgb_of(decoded))):
        p, q, xx, yy, xy = blur(torch.cat([x, y, x * x, y * y, x * y], 1)).chunk(5, 1)
        structure = (2 * (xy - p * q) + C2) / ((xx - p * p) + (yy - q * q) + C2)
        d = (1 - (1 - (p - q) ** 2) * structure).clamp(min=0)
        e = (1 + (y - q).abs()) / (1 + (x - p).abs()) - 1
        maps = [norms(m) for m in (d, e.clamp(min=0), (-e).clamp(min=0))]
        found.append(torch.stack([torch.stack([m[n] for m in maps], -1) for n in (0, 1)], -2))
    values = torch.stack(found, 2).flatten(1)  # batch, channel · scale · norm · map
    places = torch.tensor(list(WEIGHTS), device=values.device)
    weighted = (values[:, places] * torch.tensor(list(WEIGHTS.values()), device=values.device)).sum(1)
    x = 0.9562382616834844 * weighted
    y = (2.326765642916932 + (-0.020884521182843837 + 6.248496625763138e-5 * x) * x) * x
    return 100 - 10 * y.clamp(min=1e-6) ** 0.6276336467831387
