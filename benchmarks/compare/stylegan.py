# SPDX-License-Identifier: MIT
"""StyleGAN's training step and its pictures: benchmarks/stylegan_step.cpp against PyTorch and TensorFlow, in random turns, on one machine."""

import random
from pathlib import Path
from statistics import mean

from toolkit import ROOT, ToolError

from . import figures
from .process import closing_figures, follow
from .report import cuda_wheel_lines, peak_memory, spread, times
from .work import FLOAT, HEADER, Work, parts

WORKS = ("step", "pictures")
MODES = {  # name: (rival, --mode of its program in rivals/, what it can do)
    "eager": ("PyTorch", "eager", WORKS),
    "channels_last": ("PyTorch", "channels_last", WORKS),
    "compile": ("PyTorch", "compile", WORKS),  # all but D on real pictures, which has a second gradient
    "compile_channels_last": ("PyTorch", "compile_channels_last", WORKS),
    "tf_xla": ("TensorFlow", "xla", ("pictures",)),
}
SCRIPTS = {"PyTorch": "stylegan_pytorch.py", "TensorFlow": "stylegan_tensorflow.py"}
BATCH, SAMPLES, WIDTH, FEATURES = 32, 64, 128, (128, 128, 64, 32)  # maps at 4², 8², 16², 32²
FIRST = 10  # iterations whose totals are compared
AGREEMENT = {"step": 0.15, "pictures": 2}  # by how much one may be larger: all begin with other random weights


def rivals_of(modes):
    return list(dict.fromkeys(MODES[name][0] for name in modes))


def label(name):
    return name if name == "ours" else " ".join(MODES[name][:2])


def convolution(rows, inputs, outputs, kernel, side):
    """By definition, one pass; its two gradients cost as much each."""
    weights, places = inputs * outputs * kernel ** 2, rows * side ** 2
    return Work(2 * places * weights, FLOAT * (places * (inputs + outputs) + weights))


def generator_work(rows):
    """A forward pass's convolutions and linear layers."""
    sides = [4 << i for i in range(len(FEATURES))]
    total = sum((convolution(rows, c, c, 3, side) for c, side in zip(FEATURES, sides)), Work())
    total = sum((convolution(rows, b, a, 3, side) for b, a, side in zip(FEATURES[:-1], FEATURES[1:], sides[1:])), total)
    total = sum((convolution(rows, WIDTH, 2 * c, 1, 1) for c in FEATURES for _ in range(2)), total)
    return sum((convolution(rows, WIDTH, WIDTH, 1, 1) for _ in range(8)), total) + convolution(rows, FEATURES[-1], 3, 1, sides[-1])


def discriminator_work(rows):
    sides = [4 << i for i in range(len(FEATURES))]
    total = convolution(rows, 3, FEATURES[-1], 1, sides[-1]) + convolution(rows, FEATURES[0] + 1, FEATURES[0], 3, 4)
    for a, b, side in zip(FEATURES[1:], FEATURES[:-1], sides[1:]):
        total = total + convolution(rows, a, a, 3, side) + convolution(rows, a, b, 3, side)
    return total + convolution(rows, FEATURES[0] * 16, FEATURES[0], 1, 1)


def times_work(count, work):
    return Work(count * work.flops, count * work.bytes)


def work_of(what):
    """Multiplications by definition. A step: D on real pictures is run forward, back to the pictures, and both of these back again, with
    gradients of weights and maps: 6; on generated ones 3, and for G 2; G forward for D, then forward and back: 4."""
    if what == "pictures":
        return generator_work(SAMPLES)
    return times_work(6 + 3 + 2, discriminator_work(BATCH)) + times_work(1 + 3, generator_work(BATCH))


class Programs:
    """How all sides are started. pythons: {rival: its Python}"""

    def __init__(self, binaries, pythons, threads, env):
        self.program, self.pythons, self.threads = Path(binaries) / "stylegan_step", pythons, threads
        self.env = {**env, "OMP_NUM_THREADS": str(threads)}

    def run(self, name, what, iterations):
        """One run of a side: "ours" or one of MODES."""
        words = ["--work", what, "--iterations", iterations, "--log", "LOG"]
        if name == "ours":
            return follow("stylegan_step", [self.program, *words], self.env)
        rival, mode, _ = MODES[name]
        script = ROOT / "benchmarks" / "rivals" / SCRIPTS[rival]
        run = follow(label(name), [self.pythons[rival], script, "--mode", mode, "--threads", self.threads, *words], self.env)
        closing_figures(label(name), run)
        return run


def compare(programs, what, modes, iterations, repeats, log=print):
    """Rounds of all sides, in an order that is drawn for each; a dictionary for the report."""
    modes = [name for name in modes if what in MODES[name][2]]
    runs = {name: [] for name in ("ours", *modes)}
    for repeat in range(repeats):
        for name in random.sample(list(runs), len(runs)):
            run = programs.run(name, what, iterations)
            if not all(abs(total) < 1e6 for total in run.totals):
                raise ToolError(f"the losses of {label(name)} are no numbers, or too large")
            runs[name].append(run)
            log(f"  round {repeat + 1} of {repeats}: {label(name):30} {figures.iteration_seconds(run.seconds) * 1e3:8.2f} ms/iteration")
    sides = {name: figures.Side.of(many) for name, many in runs.items()}
    others = {name: sides[name] for name in modes}
    against = {measure: figures.ratio(others, sides["ours"], measure) for measure in figures.MEASURES} if modes else {}
    totals = {name: mean(mean(run.totals[:FIRST]) for run in many) for name, many in runs.items()}
    return {"work": what, "iterations": iterations, "sides": {name: side.plain() for name, side in sides.items()}, "against_best": against,
            "totals": totals,
            "disagreeing": [name for name, total in totals.items()
                            if not max(total, totals["ours"]) <= (1 + AGREEMENT[what]) * min(total, totals["ours"])]}


def lines(result, machine):
    """The table, and what it amounts to."""
    what, sides, work = result["work"], result["sides"], work_of(result["work"])
    ours = sides["ours"]["iteration"]["median"]
    subject = f"a step of D with R1 and of G, batch {BATCH}" if what == "step" else f"{SAMPLES} pictures"
    yield f"{subject}: median [least … most] of {sides['ours']['runs']} runs of {result['iterations']} iterations, 32x32, RGB"
    yield (f"total: mean of the first {FIRST} iterations; {work.flops * 1e-9:.2f} GFLOP of direct convolution, which read and write "
           f"{work.bytes * 1e-6:.0f} MB")
    yield f"{'':34}{'ms/iteration':26}{'/ ours':>7}{HEADER}{'total':>8}   {'start to 1st, s':26}peak, MB"
    for name, side in sides.items():
        seconds = side["iteration"]["median"]
        yield (f"{label(name):34}{spread(side['iteration'], 1e3, 1):26}{seconds / ours:7.2f}{parts(work, seconds, machine)}"
               f"{result['totals'][name]:8.3f}   {spread(side['start_to_first'], 1, 2):26}{spread(side['peak_bytes'], 1e-6, 0)}")
    if result["against_best"]:
        speed, start, memory = (result["against_best"][measure] for measure in figures.MEASURES)
        yield (f"against the best of them: an iteration {times(speed)}; the start to the first iteration {times(start)}; "
               f"{peak_memory(sides, memory)}")
    yield from cuda_wheel_lines(sides)
    for name in result["disagreeing"]:
        yield f"FAIL: the totals of {label(name)} and ours are more than {AGREEMENT[what]:.0%} apart"
