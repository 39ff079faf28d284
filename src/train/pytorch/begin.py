"""
A new checkpoint: the U-Net of src/model/architecture.ts with first weights, or with those of one of the same layers that
is told sigma where this one is not, or the other way round.
"""

import math

import torch

from checkpoint import read_checkpoint, write_checkpoint
from network import Network, initialise

INPUTS, OUTPUTS = 24, 24


def u_net(channels, blocks, hidden, classes, sigma=False, levels=5):
    """The architecture as data. blocks: residual blocks by scale, each way; at the last scale in all."""
    tensors, layers = [{"name": "input", "channels": INPUTS, "scale": 0}], []

    def put(name, kind, source, c, scale, relu=False, conditioned=False, add=None):
        tensors.append({"name": name, "channels": c, "scale": scale})
        layer = {"name": name, "kind": kind, "from": source, "relu": relu, "conditioned": conditioned}
        layers.append({**layer, **({} if add is None else {"add": add}), "to": name})
        return name

    def stage(name, x, scale, count):
        for b in range(count):
            own = name if b == 0 else f"{name}-{b + 1}"
            inner = put(f"{own}.1", "conv3x3", x, channels[scale], scale, relu=True, conditioned=True)
            x = put(f"{own}.2", "conv3x3", inner, channels[scale], scale, add=x)
        return x

    depth = len(channels) - 1
    x = put("in", "conv3x3", "input", channels[0], 0)
    skips = []
    for s in range(depth):
        x = stage(f"enc{s}", x, s, blocks[s])
        skips.append(x)
        x = put(f"down{s}", "down2x2", x, channels[s + 1], s + 1)
    for b in range(blocks[depth]):
        x = stage(f"mid{b}", x, depth, 1)
    for s in reversed(range(depth)):
        x = put(f"up{s}", "up2x2", x, channels[s], s, add=skips[s])
        x = stage(f"dec{s}", x, s, blocks[s])
    put("out", "conv3x3", x, OUTPUTS, 0)
    name = f"unet-{'-'.join(map(str, channels))}"
    if blocks != [1] * depth + [2]:
        name += f"-blocks-{'-'.join(map(str, blocks))}"
    conditioning = {"levels": levels, "hidden": hidden, "sigma": sigma, "classes": classes}
    return {"name": name, "tensors": tensors, "layers": layers, "conditioning": conditioning}


def flops_per_pixel(architecture):
    """Multiply-adds times two, per pixel of the level's picture and evaluation."""
    of = {t["name"]: t for t in architecture["tensors"]}
    total = 0
    for layer in architecture["layers"]:
        a, b = of[layer["from"]], of[layer["to"]]
        k = 3 if layer["kind"] == "conv3x3" else 2
        grid = a if layer["kind"] == "up2x2" else b
        total += 2 * k * k * a["channels"] * b["channels"] / 4 / 4 ** grid["scale"]
    return total


def same_layers(known, network):
    if known.layers != network.layers or known.conditioning["hidden"] != network.conditioning["hidden"]:
        raise SystemExit("the checkpoint is of other layers; it takes those of the same channels, blocks and --hidden")


def untold(told, told_weights, network):
    """
    Weights of a network that is not told sigma, from those of one of the same layers that is: it computes what that
    one does for details known with sigma 8, whatever they are known with, and learns the rest from its inputs.
    """
    same_layers(told, network)
    tensors = dict(zip(told.index, told.split(told_weights, "cpu")))
    w1, levels = tensors["cond.w1"], network.conditioning["levels"]
    tensors["cond.b1"] += w1[0] * (math.log2(8) - math.log2(12)) / 2.5  # the mode, and its product with sigma, are 0
    classes = w1.new_zeros(network.conditioning["classes"], w1.shape[1])
    tensors["cond.w1"] = torch.cat([w1[3 : 3 + levels], classes])
    return network.flat([tensors[name] for name in network.index])


def told(untold, weights, network):
    """Weights of a network that is told sigma and mode, from those of one that is not: it begins without minding them."""
    same_layers(untold, network)
    tensors = dict(zip(untold.index, untold.split(weights, "cpu")))
    w1, levels = tensors["cond.w1"], network.conditioning["levels"]
    classes = network.conditioning["classes"]
    tensors["cond.w1"] = torch.cat([w1.new_zeros(3, w1.shape[1]), w1[:levels], w1.new_zeros(classes, w1.shape[1])])
    return network.flat([tensors[name] for name in network.index])


def begin(options):
    numbers = lambda text: [int(n) for n in text.split(",")]
    sizes = numbers(options.channels), numbers(options.blocks), options.hidden, options.classes
    architecture = u_net(*sizes, sigma=options.untold is not None)
    network = Network(architecture)
    known, arrays = read_checkpoint(options.statistics or options.told or options.untold)
    if options.told:
        weights = untold(Network(known["architecture"]), arrays["average"], network)
    elif options.untold:
        weights = told(Network(known["architecture"]), arrays["average"], network)
    else:
        weights = initialise(network, options.seed)
    nothing = 0 * weights
    arrays = {"parameters": weights, "average": weights, "firstMoment": nothing, "secondMoment": nothing}
    header = {"architecture": architecture, "statistics": known["statistics"], "step": 0, "moments": 0}
    header.update(seed=options.seed, seconds=0, balance=known["balance"] if options.told else {})
    write_checkpoint(options.checkpoint, header, arrays)
    print(f"{architecture['name']}: {len(weights)} numbers, {flops_per_pixel(architecture) / 1e3:.1f} kFLOP per pixel")
