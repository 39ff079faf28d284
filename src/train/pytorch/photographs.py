"""Photographs and their pyramids, all in one array, and crops of them (src/train/dataset.ts)."""

import concurrent.futures
import math
import pathlib
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from recipe import RECIPE

DATA_LEVELS = RECIPE["dataLevels"]
# Rotated colours are kept as int16 of this fraction of a sample unit: an error of 2^-8 at most.
FIXED = 128
SUFFIXES = (".png", ".webp", ".jpg")


def rotate_colours(rgb):
    """Orthonormal luma and two chromas of 8-bit RGB, around 127.5."""
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
    """The levels of a photograph as int16."""
    u = rotate_colours(np.asarray(Image.open(path).convert("RGB")))
    levels = []
    for level in range(DATA_LEVELS):
        levels.append(np.round(u * FIXED).astype(np.int16))
        u = halve(u) if level + 1 < DATA_LEVELS else u
    return levels


def split_key(path):
    """What a crop and the whole of one photograph have in common (c_x_HASH, p_x_HASH): both go to one side."""
    return path.stem[2:] if path.stem[:2] in ("c_", "p_") else path.stem


def listed(folders):
    """Files of folders, and whether each is held back: of each folder every so manyth."""
    paths, held = [], []
    for folder in folders:
        own = sorted((p for p in pathlib.Path(folder).iterdir() if p.suffix in SUFFIXES), key=lambda p: p.stem)
        keys = sorted({split_key(p) for p in own})
        stride, offset = RECIPE["heldOut"]["stride"], RECIPE["heldOut"]["offset"]
        back = {k for i, k in enumerate(keys) if i % stride == offset}
        paths += own
        held += [split_key(p) in back for p in own]
    return paths, held


def load(folders):
    """
    Pyramids of the training and of the validation photographs, and whether each training photograph is lossy. Of those
    that are held back the first folder's are for validation.
    """
    paths, held = listed(folders)
    with concurrent.futures.ProcessPoolExecutor() as pool:
        pyramids = list(pool.map(pyramid, paths, chunksize=8))
    training, validation, lossy = [], [], []
    for p, back, u in zip(paths, held, pyramids):
        if min(u[0].shape[:2]) < RECIPE["minSide"]:
            continue
        if back:
            if p.parent == pathlib.Path(folders[0]):
                validation.append(u)
        else:
            training.append(u)
            lossy.append(p.suffix == ".jpg")
    return training, validation, lossy


class Patches(NamedTuple):
    """Pixels [batch, side, side, 3], which of them are inside the photograph, and where they are from."""

    pixels: torch.Tensor
    inside: torch.Tensor
    level: torch.Tensor
    photograph: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor
    # Neither turned nor recoloured.
    plain: torch.Tensor


class Photographs:
    """All levels of all photographs in one flat array on the device: level · count + photograph is where one begins."""

    def __init__(self, pyramids, lossy):
        # Lossless ones first, so that both "any" and "lossless" are ranges.
        pyramids = [u for u, flag in sorted(zip(pyramids, lossy), key=lambda pair: pair[1])]
        self.count, self.lossless = len(pyramids), len(pyramids) - sum(lossy)
        planes = [u[level] for level in range(DATA_LEVELS) for u in pyramids]
        sizes = np.array([plane.shape[:2] for plane in planes])
        starts = np.concatenate([[0], np.cumsum(sizes.prod(1))[:-1]])
        to = lambda a: torch.from_numpy(a.astype(np.int64))
        self.heights, self.widths, self.starts = to(sizes[:, 0]), to(sizes[:, 1]), to(starts)
        self.pixels = torch.from_numpy(np.concatenate([plane.reshape(-1, 3) for plane in planes]))

    def to(self, device):
        """On that device, in place."""
        for name in ("heights", "widths", "starts", "pixels"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def crops(self, level, side, batch, finest):
        """
        Mirrored at random. Returns [batch, side/2, side/2, 12] and which positions are inside the photograph.
        finest: [batch], the lowest sigma code that the crop will be seen at.
        """
        patches = self.patches(level, side, batch, finest)
        return haar(patches.pixels), patches.inside[:, ::2, ::2]

    def patches(self, level, side, batch, finest):
        """As `crops`, in pixels of the level."""
        device = self.pixels.device
        rand = lambda: torch.rand(batch, device=device)
        below = lambda n: (rand() * n).long()
        # A picture of the next finer scale is an example too.
        at_level = torch.where(rand() < RECIPE["finerScale"], max(level - 1, 0), level)
        strict = (at_level == 0) & (finest < 80 + 16 * RECIPE["lossy"]["sigma"])
        photograph = below(torch.where(strict, self.lossless, self.count))
        of = at_level * self.count + photograph
        width, height = self.widths[of], self.heights[of]
        overhang = torch.where(rand() < RECIPE["overhang"], side - 2, 0)
        place = lambda length: below((torch.minimum(length - 2, length - side + overhang) + 1).clamp(min=1))
        x0, y0 = place(width), place(height)
        w, h = (width - x0).clamp(max=side)[:, None, None], (height - y0).clamp(max=side)[:, None, None]
        mirror = RECIPE["mirror"]
        mirror_x, mirror_y, swap = ((rand() < mirror[k])[:, None, None] for k in ("x", "y", "swap"))
        y, x = torch.meshgrid(torch.arange(side, device=device), torch.arange(side, device=device), indexing="ij")
        sx, sy = torch.where(swap, y, x), torch.where(swap, x, y)
        sx = torch.where(mirror_x, w - 1 - sx, sx).clamp(min=0).minimum(w - 1)
        sy = torch.where(mirror_y, h - 1 - sy, sy).clamp(min=0).minimum(h - 1)
        at = self.starts[of][:, None, None] + (y0[:, None, None] + sy) * width[:, None, None] + x0[:, None, None] + sx
        inside = (x < torch.where(swap, h, w)) & (y < torch.where(swap, w, h))
        # Another exposure and another saturation, of some.
        recolour = RECIPE["recolour"]
        gain = lambda low, high: torch.where(rand() < recolour["chance"], torch.exp2(rand() * (high - low) + low), 1)
        exposure, saturation = gain(*recolour["exposure"]), gain(*recolour["saturation"])
        gains = torch.stack([exposure, exposure * saturation, exposure * saturation], 1) / FIXED
        pixels = self.pixels[at].float() * gains[:, None, None]
        plain = ~swap[:, 0, 0] & (exposure == 1) & (saturation == 1)
        return Patches(pixels, inside, at_level, photograph, x0, y0, plain)
