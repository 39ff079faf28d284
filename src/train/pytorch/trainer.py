"""The training loop: batches, gradients, steps, validation, checkpoints and the log."""

import concurrent.futures
import pathlib
import threading
import time
from typing import NamedTuple

import numpy as np
import torch

from checkpoint import ARRAYS, read_checkpoint, write_checkpoint
from coarse import CoarseStream, CoarseValidation, CoarseWorker
from coder import code_step, coded_condition, draw_history, draw_limit, history_chance, plain_codes
from examples import Normalisation, examples_of, features_of
from network import Network, example_losses
from observations import channel_noise, draw_codes, draw_condition, observe
from optimiser import Balance, Optimiser, clipped, learning_rate
from photographs import Photographs, load
from processes import Processes
from recipe import LEVELS, RECIPE
from replayed import Replayed
from shown import Path, ShownStream, ShownValidation, ShownWorker
from validation import VALIDATION_SIDE, Validation

class Model:
    """A checkpoint on a device: its network, arrays, and what its examples are normalised with."""

    def __init__(self, path, device, half):
        self.path, self.device, self.half = path, device, half
        self.header, self.arrays = read_checkpoint(path)
        self.network = Network(self.header["architecture"])
        self.conditioning = self.header["architecture"]["conditioning"]
        self.normalisation = Normalisation(self.header["statistics"], device)
        self.state = [self.network.split(self.arrays[name], device) for name in ARRAYS]
        for p in self.state[0]:
            p.requires_grad_()
        counts = self.header["step"], self.header["moments"]
        self.optimiser = Optimiser(self.network, *self.state, *counts, Replayed, half)
        self.balance = Balance(self.header["balance"], device)
        self.gradients_of = Replayed(self.record_gradients)

    def forward(self, parameters, inputs, features):
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        return self.network.forward(parameters, inputs, features, self.half)

    def record_gradients(self, inputs, features, kinds, *rest):
        """Gradients, loss, KL and squared error by example, and the output."""
        output = self.forward(self.state[0], inputs, features)
        kl, square = example_losses(output, *rest)
        kl_weight, square_weight = self.balance.weights(kinds, kl.detach(), square.detach())
        loss = (kl * kl_weight + square * square_weight).mean()
        return torch.autograd.grad(loss, self.state[0]), *(a.detach() for a in (loss, kl, square, output))

    def save(self, seconds, plan):
        for name, tensors in zip(ARRAYS, self.state):
            self.arrays[name] = self.network.flat(tensors)
        steps = {"step": self.optimiser.step_count, "moments": self.optimiser.moments}
        self.header.update(**steps, balance=self.balance.known(), seconds=seconds, plan=plan)
        write_checkpoint(self.path, self.header, self.arrays)


class Examples(NamedTuple):
    """A batch of one level, as far as it is known to the receiver: codes and z, and what it is known for."""

    level: int
    x: torch.Tensor
    inside: torch.Tensor
    codes: torch.Tensor
    z: torch.Tensor
    sigma: torch.Tensor
    enter: torch.Tensor


DRAWING = threading.Lock()


class Draws:
    """Random numbers of a stream's own on a processor, where all threads have one generator: in whatever order they draw."""

    def __init__(self, rng, device):
        self.state = None
        if device.type == "cpu":
            self.state = torch.Generator().manual_seed(int(rng.integers(2**62))).get_state()

    def __enter__(self):
        if self.state is not None:
            DRAWING.acquire()
            torch.set_rng_state(self.state)

    def __exit__(self, *_):
        if self.state is not None:
            self.state = torch.get_rng_state()
            DRAWING.release()


class Stream:
    """
    Batches one after the other. Some begin a history: what the network gives for a batch then codes the next step of
    the same examples, so that coded examples cost no evaluation of their own.
    """

    def __init__(self, model, photographs, rng, batch_scale):
        self.model, self.photographs, self.rng, self.batch_scale = model, photographs, rng, batch_scale
        self.examples, self.steps = None, []
        self.draws = Draws(rng, model.device)

    def next(self, done, output):
        """@param done share of the training that is over @param output the network's for the last batch"""
        with self.draws:
            if self.steps:
                self.code(output)
            else:
                self.begin(done)
        return self.examples

    def begin(self, done):
        stage = next(s for s in RECIPE["stages"] if done <= s["until"] or s is RECIPE["stages"][-1])
        level = int(self.rng.choice(LEVELS, p=RECIPE["share"]))
        side, batch = stage["crop"][level], max(1, round(stage["batch"][level] * self.batch_scale))
        device = self.model.device
        history = self.rng.random() < history_chance(stage["coded"])
        if history:
            start, self.steps = draw_history(level, self.rng)
            self.limit = draw_limit(self.rng)
            self.shift = torch.randint(12, (batch,), device=device)
            condition = coded_condition(start, batch, device)
            finest = condition.finest.clamp(max=min(step.to for step in self.steps))
        else:
            condition = draw_condition(level, batch, device, stage["kinds"])
            finest = condition.finest
        x, inside = self.photographs.crops(level, side, batch, finest)
        codes = (plain_codes if history else draw_codes)(x, inside, condition)
        z = observe(x, inside, codes, channel_noise(x, condition))
        self.examples = Examples(level, x, inside, codes, z, condition.sigma, condition.enter)

    def code(self, output):
        step, self.steps = self.steps[0], self.steps[1:]
        e = self.examples
        arguments = (e.level, e.x, e.inside, e.codes, e.z, output, step, self.shift, self.limit)
        z, codes = code_step(self.model.normalisation, *arguments)
        self.examples = e._replace(z=z, codes=codes)
        if step.observed:
            sigma = torch.full_like(e.sigma, step.to)
            self.examples = self.examples._replace(sigma=sigma, enter=torch.zeros_like(e.enter))


class Worker:
    """Gradients of one batch after the other."""

    def __init__(self, model, stream):
        self.model, self.stream, self.output = model, stream, None

    def gradients(self, done):
        """Gradients of a new batch, the loss, and what balances the next."""
        model = self.model
        with torch.no_grad():
            level, x, inside, codes, z, sigma, enter = self.stream.next(done, self.output)
            inputs, *rest = examples_of(model.normalisation, level, x, inside, codes, z, sigma, enter)
            kinds = model.balance.kinds(level, sigma, enter)
            features = features_of(model.conditioning, level, sigma, enter)
        gradients, loss, kl, square, self.output = model.gradients_of(inputs, features, kinds, *rest)
        return gradients, loss, kinds, kl, square


def begin_log(log, step, columns):
    """Leaves the lines up to a step: later ones are of a training that was broken off after its last checkpoint."""
    lines = log.read_text().splitlines(keepends=True)[1:] if log.exists() else []
    header = ",".join(["step", "seconds", "rate", "loss", *columns]) + "\n"
    log.write_text(header + "".join(line for line in lines if int(line.split(",")[0]) <= step))


class Run:
    """A training of `minutes` by the clock, which goes on where its checkpoint has the same plan."""

    def __init__(self, model, worker_of, validation, options, processes):
        self.model, self.validation, self.options, self.processes = model, validation, options, processes
        plan = model.header.get("plan")
        if options.restart or plan is None:
            plan = {"began": time.time(), "minutes": options.minutes, "step": model.header["step"]}
        plan["minutes"] = options.minutes
        self.plan = plan
        self.workers = []
        for i in range(options.workers * processes.rank, options.workers * (processes.rank + 1)):
            rng = np.random.default_rng([options.seed, model.header["step"], i])
            self.workers.append(worker_of(rng))
        self.pool = concurrent.futures.ThreadPoolExecutor(options.workers)
        self.seconds_before, self.start = model.header["seconds"], time.time()
        self.recent = None

    def done(self):
        return self.processes.agreed((time.time() - self.plan["began"]) / (60 * self.plan["minutes"]))

    def seconds(self):
        return self.seconds_before + time.time() - self.start

    def validate(self, rate):
        v = self.validation.run(self.model.forward, self.model.state[1])
        figures = ",".join(f"{v[k.removesuffix('_bpp')]:.{5 if k.endswith('_bpp') else 3}f}" for k in self.validation.columns)
        loss = 0 if self.recent is None else self.recent.item()
        row = f"{self.model.optimiser.step_count},{self.seconds():.0f},{rate:.2e},{loss:.4f},{figures}"
        with open(self.options.log, "a") as f:
            f.write(row + "\n")
        print(f"{time.time() - self.start:6.1f} s  {row}", flush=True)

    def step(self, rate, done):
        """One step, of a batch by each worker of each process: their gradients' mean."""
        results = list(self.pool.map(lambda worker: worker.gradients(done), self.workers))
        with torch.no_grad():
            # Each is clipped by itself, so that one worker's outlier does not drown the others.
            gradients, *others = (clipped(result[0]) for result in results)
            for other in others:
                torch._foreach_add_(gradients, other)
            loss = sum(result[1] for result in results)
            self.processes.add([*gradients, loss])
            batches = len(results) * self.processes.count
            if batches > 1:
                torch._foreach_div_(gradients, batches)
            loss = loss / batches
            for sums in self.processes.gathered(torch.stack([self.model.balance.sums(*r[2:]) for r in results])):
                self.model.balance.update(sums)
            recent = self.recent
            self.recent = loss.clone() if recent is None else recent + 0.01 * (loss - recent).nan_to_num(0)
        self.model.optimiser.step(gradients, rate)

    def run(self):
        options, model = self.options, self.model
        first_process = self.processes.first
        if first_process:
            begin_log(pathlib.Path(options.log), model.header["step"], self.validation.columns)
        last_validation = last_save = time.time()
        first = model.optimiser.step_count
        while True:
            done = self.done()
            over = done >= 1 or model.optimiser.step_count - first >= options.steps
            rate = learning_rate(model.optimiser.step_count - self.plan["step"], done, options.rate)
            if first_process and (over or time.time() - last_validation > options.validate_every):
                self.validate(rate)
                last_validation = time.time()
            if first_process and (over or time.time() - last_save > options.save_every):
                model.save(self.seconds(), self.plan)
                last_save = time.time()
            if over:
                break
            self.step(rate, done)
            if model.device.type == "cuda" and model.optimiser.step_count % 16 == 0:
                torch.cuda.synchronize()  # so that the clock, which the rate follows, is that of the device
        steps = model.optimiser.step_count - first
        if first_process:
            print(f"{steps} steps in {time.time() - self.start:.1f} s; {options.checkpoint} written")


def read_photographs(options, device):
    """Those of the folders, or of the file that they were put into before; the second are for validation."""
    if options.cache and pathlib.Path(options.cache).exists():
        photographs, held = torch.load(options.cache, weights_only=False)
        return photographs.to(device), held
    training, held, lossy = load(options.data)
    held = [u for u in held if min(u[0].shape[:2]) >= VALIDATION_SIDE][: options.validation]
    photographs = Photographs(training, lossy)
    if options.cache:
        torch.save((photographs, held), options.cache)
    return photographs.to(device), held


def train(options):
    processes = Processes(options.device)
    device = processes.device
    if device.type == "cuda" and options.workers > 1:
        raise SystemExit("--workers is for processors: on a GPU the recorded graphs have one set of results")
    half = torch.float32 if options.full else torch.bfloat16
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True
    began = time.time()
    read = lambda: read_photographs(options, device)
    photographs, held = processes.in_turn(read) if options.cache else read()
    model = Model(options.checkpoint, device, half)
    torch.manual_seed(options.seed * 1000003 + model.header["step"] + (processes.rank << 40))
    path = None if options.path is None else Path(options.path, device, half)
    if options.coarse:
        model.optimiser.averaging = RECIPE["coarse"]["average"]
        stream_of = lambda rng: CoarseStream(model, photographs, rng, options.batch_scale, Draws(rng, device))
        worker_of = lambda rng: CoarseWorker(model, stream_of(rng))
    elif path is None:
        worker_of = lambda rng: Worker(model, Stream(model, photographs, rng, options.batch_scale))
    else:
        model.optimiser.averaging = RECIPE["shown"]["average"]
        stream_of = lambda rng: ShownStream(path, photographs, rng, options.batch_scale, Draws(rng, device), device)
        worker_of = lambda rng: ShownWorker(model, stream_of(rng))
    validation = None
    if processes.first:
        if options.coarse:
            validation = CoarseValidation(held, model, options.validation)
        elif path is None:
            validation = Validation(held, model.normalisation, model.conditioning, device, options.validation)
        else:
            validation = ShownValidation(held, model, path, options.validation)
        size = photographs.pixels.numel() / 4e6
        print(f"{photographs.count} photographs, {size:.0f} Mpixel, read in {time.time() - began:.1f} s", flush=True)
    Run(model, worker_of, validation, options, processes).run()
    processes.end()
