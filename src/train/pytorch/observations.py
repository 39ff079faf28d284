"""
How examples are observed: sigma codes of every coefficient, drawn as the recipe says (src/train/observations.ts is
its twin), and z with an ideal channel's noise. Codes are floats of whole numbers here, [batch, h, w, 12].
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from recipe import CODE_OF_ONE, COEFFICIENTS, EXACT, HIGHEST, LOWEST, PER_OCTAVE, RECIPE, TOP, UNKNOWN, code_of


class Condition(NamedTuple):
    """What is one for an example, all [batch]."""

    kind: torch.Tensor  # 0 plain, 1 path, 2 mixed
    sigma: torch.Tensor  # reference code: that of the details, or that they are to be measured with
    enter: torch.Tensor  # details are not (all) known
    lowest: torch.Tensor  # code of LL
    finest: torch.Tensor  # no code is lower


def sigma_of(code):
    """Sigma of codes; infinite where unknown, 0 where exact."""
    sigma = torch.exp2((code - CODE_OF_ONE) / PER_OCTAVE)
    return torch.where(code == UNKNOWN, torch.inf, torch.where(code == EXACT, 0.0, sigma))


def uniform(rand, low, high):
    return rand() * (high - low) + low


def choose(u, odds):
    """Index of the interval of [0, 1) that u is in, the intervals having these lengths."""
    edges = torch.tensor(odds, device=u.device).cumsum(0)[:-1]
    return torch.bucketize(u, edges, right=True)


def draw_condition(level, batch, device, kinds):
    """Conditions of a batch. @param kinds odds of plain, path and mixed, a part of the recipe"""
    rand = lambda: torch.rand(batch, device=device)
    kind = choose(rand(), list(kinds.values()))
    plain, path, mixed = RECIPE["plain"], RECIPE["path"], RECIPE["mixed"]
    # Plain: one sigma, from the level's top down.
    other = CODE_OF_ONE + PER_OCTAVE * uniform(rand, *plain["top"]["other"])
    top = torch.where(rand() < plain["top"]["usual"], TOP, other.round())
    plain_enter = rand() < plain["enter"][level]
    deepest = plain["deepest" if level == 0 else "deepestCoarse"]
    depths = torch.tensor([octaves for octaves, _ in deepest], device=device)
    depth = depths[choose(rand(), [chance for _, chance in deepest])] * PER_OCTAVE
    plain_sigma = torch.where(plain_enter, top, top - (rand() * (depth + 1)).floor())
    # Path: LL is more precise than the details are or shall be.
    details = path["details"]
    path_sigma = (CODE_OF_ONE + PER_OCTAVE * uniform(rand, details["lowest"][level], details["highest"][level])).round()
    ahead = (rand() * PER_OCTAVE * path["ahead"]["octaves"]).round()
    ahead = torch.where(rand() < path["ahead"]["chance"], ahead, 0)
    path_enter = rand() < path["unknown"] + path["parts"]
    # Mixed: any sigma, with offsets.
    mixed_sigma = (LOWEST + rand() * (HIGHEST - LOWEST)).round()
    mixed_enter = rand() < mixed["unknownDetails"]
    pick = lambda a, b, c: torch.where(kind == 0, a, torch.where(kind == 1, b, c))
    sigma = pick(plain_sigma, path_sigma, mixed_sigma).clamp(LOWEST, HIGHEST)
    lowest = torch.where(kind == 1, sigma - ahead, sigma).clamp(min=LOWEST)
    # Cut steps and offsets go lower by so much at most.
    finest = torch.where(kind == 0, sigma - 4, torch.where(kind == 1, lowest, sigma - 3.5 * PER_OCTAVE))
    return Condition(kind, sigma, pick(plain_enter, path_enter, mixed_enter), lowest, finest.clamp(min=LOWEST))


def parts_of(x, count):
    """Which of `count` interleaved parts a coefficient belongs to, [h, w, 12]; two parts are a checkerboard."""
    row, column, channel = (torch.arange(n, device=x.device) for n in x.shape[1:])
    if count == 4:
        return (2 * (row[:, None, None] % 2) + (row[:, None, None] + column[:, None] + channel) % 2) % 4
    return (row[:, None, None] + column[:, None] + channel) % count


def each(v):
    return v[:, None, None, None]


def draw_codes(x, inside, condition):
    """Sigma codes of every coefficient."""
    batch, device = len(x), x.device
    rand = lambda: torch.rand(batch, device=device)
    kind, sigma, enter, lowest, _ = condition
    detail = torch.arange(COEFFICIENTS, device=device) >= 3
    codes = torch.where(detail, each(sigma), each(lowest)).expand(x.shape)
    codes = offsets(x, codes, kind == 2)
    # What is not known yet: all details, or some of the parts in which they are measured.
    unknown = each(enter) & detail
    codes = torch.where(unknown & ~known_parts(x, kind, rand), UNKNOWN, codes)
    codes = cut_step(x, inside, codes, condition, rand)
    mixed = RECIPE["mixed"]
    absent = each((kind == 2) & (rand() < mixed["absent"]))
    which = torch.rand(batch, 4, 3, device=device) < 0.25
    codes = torch.where(absent & which.flatten(1)[:, None, None], UNKNOWN, codes)
    codes = torch.where(each((kind == 2) & (rand() < mixed["nothing"])), UNKNOWN, codes)
    chroma = torch.arange(COEFFICIENTS, device=device) % 3 != 0
    codes = torch.where(each(rand() < RECIPE["grey"]) & chroma, EXACT, codes)
    missing = hole(x, rand) & (rand() < RECIPE["hole"])[:, None, None]
    return torch.where((missing | ~inside)[..., None], UNKNOWN, codes)


def known_parts(x, kind, rand):
    """Which coefficients of details that are being entered are known already."""
    plain, path = RECIPE["plain"], RECIPE["path"]
    half = rand() < plain["half"]
    parity = (rand() < 0.5).long()
    known = each((kind == 0) & half) & (parts_of(x, 2) == each(parity))
    in_parts = (kind != 0) & (rand() < path["parts"] / (path["parts"] + path["unknown"]))
    counts = path["partCounts"]
    chosen = (rand() * len(counts)).long()
    done = rand()
    shift = rand()
    for i, count in enumerate(counts):
        part = (parts_of(x, count) + each((shift * count).long())) % count
        some = part <= each((done * (count - 1)).long())
        known |= each(in_parts & (chosen == i)) & some
    return known


def offsets(x, codes, mixed):
    """Codes with the offsets of a mixture: by colour, subband, tiles, along a border, coefficient by coefficient."""
    batch, h, w, _ = x.shape
    device = x.device
    rand = lambda *more: torch.rand(batch, *more, device=device)
    if not mixed.any():
        return codes
    recipe = RECIPE["mixed"]
    chance = lambda name: (mixed & (rand() < recipe[name]["chance"])).float()
    span = lambda name, u: (u * (recipe[name]["offset"][1] - recipe[name]["offset"][0]) + recipe[name]["offset"][0])
    colour = span("colour", rand(1, 3)) * chance("colour")[:, None, None]
    colour[:, :, 0] = 0
    subband = span("subband", rand(4, 1)) * chance("subband")[:, None, None]
    channel = (colour + subband).reshape(batch, 1, 1, COEFFICIENTS)
    place = torch.zeros(batch, h, w, device=device)
    sides = recipe["tile"]["sides"]
    low, high = recipe["tile"]["share"]
    side_of = (rand() * len(sides)).long()
    tiled = chance("tile")[:, None, None]
    for i, side in enumerate(sides):
        rows, columns = -(-h // side), -(-w // side)
        some = torch.rand(batch, rows, columns, device=device) < uniform(rand, low, high)[:, None, None]
        grid = some * span("tile", rand())[:, None, None]
        grid = grid.repeat_interleave(side, 1).repeat_interleave(side, 2)[:, :h, :w]
        place = place + torch.where((side_of == i)[:, None, None], grid * tiled, 0)
    # A straight border: other precision on its far side.
    px, py = torch.arange(w, device=device)[None, None], torch.arange(h, device=device)[None, :, None]
    vertical = (rand() < 0.5)[:, None, None]
    at = rand()[:, None, None]
    beyond = torch.where(vertical, px >= at * w, py >= at * h)
    place = place + beyond * (span("border", rand()) * chance("border"))[:, None, None]
    scattered = span("scattered", torch.rand(x.shape, device=device)) * each(chance("scattered"))
    moved = codes + (PER_OCTAVE * (channel + place[..., None] + scattered)).round()
    return torch.where(each(mixed), moved.clamp(LOWEST, HIGHEST), codes)


def cut_step(x, inside, codes, condition, rand):
    """A step that was cut has refined the coefficients of high variance first, whose stand-in is the local amplitude."""
    _, sigma, enter, lowest, _ = condition
    cut = RECIPE["cut"]
    partial = rand() < cut["chance"]
    threshold = torch.exp2((sigma - CODE_OF_ONE) / PER_OCTAVE + uniform(rand, *cut["threshold"]))
    by_amplitude = rand() < cut["byAmplitude"]
    share = rand()
    width = torch.where(rand() < 0.5, 4, 2)
    size = (x.abs() * inside[..., None]).permute(0, 3, 1, 2)
    amplitude = torch.maximum(F.max_pool2d(size, (3, 1), 1, (1, 0)), F.max_pool2d(size, (1, 3), 1, (0, 1)))
    amplitude = amplitude.permute(0, 2, 3, 1)
    drawn = torch.rand(x.shape, device=x.device)
    first = torch.where(each(by_amplitude), amplitude > each(threshold), drawn < each(share))
    first &= torch.rand(x.shape, device=x.device) < cut["kept"]
    detail = torch.arange(COEFFICIENTS, device=x.device) >= 3
    refined = torch.where(codes == UNKNOWN, each(sigma), codes - each(width)).clamp(min=LOWEST)
    refined = torch.where(each(enter), torch.where(codes == UNKNOWN, each(sigma), codes), refined)
    return torch.where(each(partial) & first & (detail | ~each(enter)), refined, codes)


def hole(x, rand):
    """A rectangle by example, [batch, h, w]."""
    _, h, w, _ = x.shape
    hw, hh = 1 + (rand() * w).long(), 1 + (rand() * h).long()
    hx, hy = (rand() * (w - hw + 1)).long(), (rand() * (h - hh + 1)).long()
    px, py = torch.arange(w, device=x.device)[None, None, :], torch.arange(h, device=x.device)[None, :, None]
    one = lambda v: v[:, None, None]
    return (px >= one(hx)) & (px < one(hx + hw)) & (py >= one(hy)) & (py < one(hy + hh))


def observe(x, inside, codes, noise):
    """z of an ideal channel."""
    known = inside[..., None] & (codes != EXACT) & (codes != UNKNOWN)
    return torch.where(known, x + torch.where(known, sigma_of(codes), 0) * noise, 0)


def channel_noise(x, condition):
    """
    White noise; that of LL, on a path that finishes coarse levels first, has less of the lowest frequencies, as the
    level above knew its own LL better than its details.
    """
    noise = torch.randn_like(x)
    batch, h, w, _ = x.shape
    coloured = (condition.kind == 1) & (torch.rand(batch, device=x.device) < RECIPE["path"]["coloured"])
    if h % 2 or w % 2 or not coloured.any():
        return noise
    octaves = torch.rand(batch, device=x.device) * RECIPE["path"]["ahead"]["octaves"]
    taken = torch.where(coloured, 1 - torch.exp2(-octaves), 0)
    low = noise[..., :3].permute(0, 3, 1, 2)
    mean = F.avg_pool2d(low, 2).repeat_interleave(2, 2).repeat_interleave(2, 3).permute(0, 2, 3, 1)
    noise[..., :3] -= each(taken) * mean
    return noise
