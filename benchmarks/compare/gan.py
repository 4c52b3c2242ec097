# SPDX-License-Identifier: MIT
"""A GAN's training step: benchmarks/gan.cpp against PyTorch, JAX and TensorFlow, in random turns, on one machine."""

import random
from pathlib import Path
from statistics import mean

from toolkit import ROOT, ToolError

from . import figures
from .process import closing_figures, follow
from .report import cuda_wheel_lines, peak_memory, spread, times
from .work import FLOAT, HEADER, Work, parts, product

MODES = {  # name: (rival, --mode of its program in rivals/)
    "eager": ("PyTorch", "eager"),  # Adam as it is
    "fused": ("PyTorch", "fused"),  # the fused Adam
    "compile": ("PyTorch", "compile"),  # that, and torch.compile
    "jax": ("JAX", "jit"),
    "tf_function": ("TensorFlow", "function"),
    "tf_xla": ("TensorFlow", "xla"),
}
SCRIPTS = {"PyTorch": "gan_pytorch.py", "JAX": "gan_jax.py", "TensorFlow": "gan_tensorflow.py"}
BATCH = 64
D_SIZES, G_SIZES = (784, 512, 256, 128, 32, 1), (64, 128, 256, 512, 784)
FIRST = 20  # steps whose losses are compared: later ones depend on the seed
AGREEMENT = 0.1  # how far apart their means may be


def rivals_of(modes):
    return list(dict.fromkeys(MODES[name][0] for name in modes))


def label(name):
    return name if name == "ours" else " ".join(MODES[name])


def step_work():
    """Of one step: D on real and generated pictures as one batch, then G."""
    def products(sizes, rows, first=0):
        return sum((product(rows, n, k) for k, n in list(zip(sizes[:-1], sizes[1:]))[first:]), Work())

    def adam(sizes):  # reads p, m, v and the gradient, writes the first three
        return Work(0, 7 * FLOAT * sum((k + 1) * n for k, n in zip(sizes[:-1], sizes[1:])))
    d_step = products(G_SIZES, BATCH) + products(D_SIZES, 2 * BATCH) + products(D_SIZES, 2 * BATCH) + products(D_SIZES, 2 * BATCH, 1)
    g_step = (products(G_SIZES, BATCH) + products(D_SIZES, BATCH) + products(D_SIZES, BATCH) + products(G_SIZES, BATCH)
              + products(G_SIZES, BATCH, 1))
    return d_step + adam(D_SIZES) + g_step + adam(G_SIZES)


class Programs:
    """How all sides are started. pythons: {rival: its Python}"""

    def __init__(self, binaries, pythons, threads, env):
        self.program, self.pythons, self.threads = Path(binaries) / "gan", pythons, threads
        self.env = {**env, "OMP_NUM_THREADS": str(threads)}

    def run(self, name, iterations):
        """One run of a side: "ours" or one of MODES."""
        if name == "ours":
            return follow("gan", [self.program, "--iterations", iterations, "--log", "LOG"], self.env)
        rival, mode = MODES[name]
        command = [self.pythons[rival], ROOT / "benchmarks" / "rivals" / SCRIPTS[rival], "--mode", mode, "--iterations", iterations,
                   "--threads", self.threads, "--log", "LOG"]
        run = follow(label(name), command, self.env)
        closing_figures(label(name), run)
        return run


def compare(programs, modes, iterations, repeats, log=print):
    """Rounds of all sides, in an order that is drawn for each; a dictionary for the report."""
    runs = {name: [] for name in ("ours", *modes)}
    for repeat in range(repeats):
        for name in random.sample(list(runs), len(runs)):
            run = programs.run(name, iterations)
            if not all(abs(total) < 1e6 for total in run.totals):
                raise ToolError(f"the losses of {label(name)} are no numbers, or too large")
            runs[name].append(run)
            log(f"  round {repeat + 1} of {repeats}: {label(name):20} {figures.iteration_seconds(run.seconds) * 1e3:8.2f} ms/iteration")
    sides = {name: figures.Side.of(many) for name, many in runs.items()}
    against = {measure: figures.ratio({name: sides[name] for name in modes}, sides["ours"], measure) for measure in figures.MEASURES}
    losses = {name: mean(mean(run.totals[:FIRST]) for run in many) for name, many in runs.items()}
    return {"iterations": iterations, "sides": {name: side.plain() for name, side in sides.items()}, "against_best": against,
            "losses": losses,
            "disagreeing": [name for name, loss in losses.items() if not abs(loss - losses["ours"]) <= AGREEMENT * losses["ours"]]}


def lines(result):
    """The table, and what it amounts to."""
    sides, work = result["sides"], step_work()
    ours = sides["ours"]["iteration"]["median"]
    yield f"median [least … most] of {sides['ours']['runs']} runs of {result['iterations']} iterations, batch 64"
    yield f"loss: mean of the first {FIRST} steps; a step is {work.flops * 1e-9:.3f} GFLOP and {work.bytes * 1e-6:.1f} MB"
    yield f"{'':22}{'ms/iteration':26}{'/ ours':>7}{HEADER}{'loss':>8}   {'start to 1st, s':26}peak, MB"
    for name, side in sides.items():
        seconds = side["iteration"]["median"]
        yield (f"{label(name):22}{spread(side['iteration'], 1e3, 2):26}{seconds / ours:7.2f}{parts(work, seconds, result['machine'])}"
               f"{result['losses'][name]:8.3f}   {spread(side['start_to_first'], 1, 2):26}{spread(side['peak_bytes'], 1e-6, 0)}")
    speed, start, memory = (result["against_best"][measure] for measure in figures.MEASURES)
    yield (f"against the best of them: an iteration {times(speed)}; the start to the first iteration {times(start)}; "
           f"{peak_memory(sides, memory)}")
    yield from cuda_wheel_lines(sides)
    for name in result["disagreeing"]:
        yield f"FAIL: the losses of {label(name)} are not within {AGREEMENT:.0%} of ours"
