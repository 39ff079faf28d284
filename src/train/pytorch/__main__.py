"""
Trains a checkpoint of `dcomp train` with PyTorch, on a GPU or a CPU, for a given time.

The same network, examples, loss and optimiser as the TensorFlow.js trainer (src/train, where the reasons and sources
are), by the same recipe (src/train/recipe.json). It reads and writes the checkpoints and logs of `dcomp train`, so
either can go on where the other ended. Not exact to the bit: the learning rate follows the clock, and sums have no
order of their own.

    python3 src/train/pytorch begin --channels 32,64,56,48 --blocks 1,2,1,1 --statistics CHECKPOINT --checkpoint FILE
    python3 src/train/pytorch train --data FOLDER… --checkpoint FILE --log FILE.csv --minutes 60

A folder holds photographs: PNG, lossless WebP, or JPEG, which serves noise far above its own alone.
"""

import argparse

from begin import begin
from classes import classes
from denoise import denoise
from discrete import discrete
from fixture import fixture
from trainer import train


def parser():
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(required=True)
    first = commands.add_parser("begin", help="a new checkpoint")
    first.add_argument("--channels", required=True, help="by scale, 32,64,64,64")
    first.add_argument("--blocks", required=True, help="by scale, 1,2,1,1")
    first.add_argument("--hidden", type=int, default=16)
    first.add_argument("--classes", type=int, default=32)
    source = first.add_mutually_exclusive_group(required=True)
    source.add_argument("--statistics", help="a checkpoint whose statistics are taken")
    source.add_argument("--told", help="one whose averaged weights are taken, too: of the same layers, but told sigma")
    source.add_argument("--untold", help="the same of one that is not told sigma; the new network is")
    first.add_argument("--checkpoint", required=True)
    first.add_argument("--seed", type=int, default=1)
    first.set_defaults(run=begin)
    second = commands.add_parser("train", help="train a checkpoint")
    second.add_argument("--data", required=True, nargs="+", help="folders of photographs")
    second.add_argument("--cache", help="file that the decoded photographs are kept in, for the next start")
    second.add_argument("--checkpoint", required=True, help="overwritten")
    second.add_argument("--log", required=True, help="CSV, a line a validation; continued")
    second.add_argument("--minutes", type=float, required=True, help="from the first start on, until the rate is nothing")
    only = second.add_mutually_exclusive_group()
    only.add_argument("--path", help="checkpoint of a network: trained is what shows that one's files, alone")
    only.add_argument("--coarse", action="store_true", help="trained is what measures levels ≥ 1 of straight paths, alone")
    second.add_argument("--restart", action="store_true", help="begin a new plan of the learning rate")
    second.add_argument("--steps", type=int, default=10**9, help="stop after so many")
    second.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    second.add_argument("--batch-scale", type=float, default=1, help="batches are so many times those of the recipe")
    second.add_argument("--validate-every", type=float, default=30, help="seconds")
    second.add_argument("--validation", type=int, default=12, help="pictures")
    second.add_argument("--save-every", type=float, default=60, help="seconds")
    second.add_argument("--seed", type=int, default=1)
    second.add_argument("--device", default="cuda")
    second.add_argument("--full", action="store_true", help="float32 throughout, in place of bfloat16")
    second.add_argument("--threads", type=int, default=0, help="of each worker; default: as PyTorch chooses")
    second.add_argument("--workers", type=int, default=1, help="batches at a time, each by a thread of its own")
    second.set_defaults(run=train)
    third = commands.add_parser("fixture", help="the batch that both trainers must agree about")
    third.add_argument("file")
    third.add_argument("--check", action="store_true", help="compare with the file in place of writing it")
    third.set_defaults(run=fixture)
    fourth = commands.add_parser("denoise", help="PSNR of pictures with white noise, by the averaged weights in floats")
    fourth.add_argument("--checkpoint", required=True)
    fourth.add_argument("--data", required=True, help="folder of PNG pictures")
    fourth.add_argument("--prefix", default="", help="only pictures whose names begin so")
    fourth.add_argument("--threads", type=int, default=0)
    fourth.set_defaults(run=denoise)
    fifth = commands.add_parser("classes", help="the class file (.dcc) of a finished model")
    fifth.add_argument("--data", required=True, nargs="+", help="folders of photographs")
    fifth.add_argument("--checkpoint", required=True, help="whose averaged weights the model was made from")
    fifth.add_argument("--model", required=True, help="the model file (.dcm)")
    fifth.add_argument("--clusters", required=True, help="CSV of the classes; made, unless it is there")
    fifth.add_argument("--output", required=True, help="class file to write")
    fifth.add_argument("--cache", help=".npz file that regions are kept in, for the next start")
    fifth.add_argument("--table", help=".npy file that the class table is kept in; it goes on from there, with --minutes 0 it is done")
    fifth.add_argument("--classes", type=int, default=32)
    fifth.add_argument("--minutes", type=float, default=24, help="of the class table")
    fifth.add_argument("--rate", type=float, default=3e-4, help="peak learning rate of the class table")
    fifth.add_argument("--classifier-minutes", type=float, default=12)
    fifth.add_argument("--classifier-rate", type=float, default=2e-3)
    fifth.add_argument("--seed", type=int, default=1)
    fifth.add_argument("--threads", type=int, default=0)
    fifth.set_defaults(run=classes)
    discrete_options(commands.add_parser("discrete", help="a checkpoint of the discrete model; goes on from there"))
    return top


def discrete_options(command):
    command.add_argument("--data", required=True, nargs="+", help="folders of photographs")
    command.add_argument("--cache", help="as of `train`")
    command.add_argument("--validation", type=int, default=12, help="pictures that the cache keeps, as of `train`")
    command.add_argument("--clusters", required=True, help="CSV of the classes")
    command.add_argument("--regions", help=".npy file that the classes of regions are kept in, for the next start")
    command.add_argument("--checkpoint", required=True, help="overwritten; made, unless it is there")
    command.add_argument("--log", required=True, help="CSV, a line a validation; continued")
    command.add_argument("--tokens", type=int, default=512, help="centroids")
    command.add_argument("--channels", default="48,96,128", help="by scale")
    command.add_argument("--blocks", default="1,1,1", help="by scale")
    command.add_argument("--hidden", type=int, default=16)
    command.add_argument("--minutes", type=float, default=45, help="in all, until the rate is nothing")
    command.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    command.add_argument("--validate-every", type=float, default=60, help="seconds")
    command.add_argument("--save-every", type=float, default=120, help="seconds")
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--full", action="store_true", help="float32 throughout, in place of bfloat16")
    command.add_argument("--threads", type=int, default=0)
    command.set_defaults(run=discrete)


if __name__ == "__main__":
    options = parser().parse_args()
    options.run(options)
