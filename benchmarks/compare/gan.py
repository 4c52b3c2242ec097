# SPDX-License-Identifier: MIT
"""A GAN's training step: benchmarks/gan.cpp against PyTorch, in random turns, on one machine."""

import random
from pathlib import Path

from toolkit import ROOT, ToolError

from . import figures
from .process import closing_figures, follow
from .report import cuda_wheel_lines, peak_memory, spread, times

MODES = ("eager", "fused", "compile")  # of pytorch/gan.py: Adam as it is, the fused one, that and torch.compile


class Programs:
    """How both sides are started."""

    def __init__(self, binaries, torch_python, threads, env):
        self.program, self.torch_python, self.threads = Path(binaries) / "gan", torch_python, threads
        self.env = {**env, "OMP_NUM_THREADS": str(threads)}

    def run(self, name, iterations):
        """One run of a side: "ours" or one of MODES."""
        if name == "ours":
            return follow("gan", [self.program, "--iterations", iterations, "--log", "LOG"], self.env)
        command = [self.torch_python, ROOT / "benchmarks" / "pytorch" / "gan.py", "--mode", name, "--iterations", iterations,
                   "--threads", self.threads, "--log", "LOG"]
        run = follow(f"PyTorch ({name})", command, self.env)
        closing_figures(f"PyTorch ({name})", run)
        return run


def compare(programs, modes, iterations, repeats, log=print):
    """Rounds of all sides, in an order that is drawn for each; a dictionary for the report."""
    runs = {name: [] for name in ("ours", *modes)}
    for repeat in range(repeats):
        for name in random.sample(list(runs), len(runs)):
            run = programs.run(name, iterations)
            if not all(abs(total) < 1e6 for total in run.totals):
                raise ToolError(f"the losses of {name} are no numbers, or too large")
            runs[name].append(run)
            log(f"  round {repeat + 1} of {repeats}: {name:10} {figures.iteration_seconds(run.seconds) * 1e3:8.2f} ms/iteration")
    sides = {name: figures.Side.of(many) for name, many in runs.items()}
    against = {measure: figures.ratio({name: sides[name] for name in modes}, sides["ours"], measure) for measure in figures.MEASURES}
    return {"iterations": iterations, "sides": {name: side.plain() for name, side in sides.items()}, "against_best": against}


def lines(result):
    """The table, and what it amounts to."""
    sides = result["sides"]
    ours = sides["ours"]["iteration"]["median"]
    yield f"median [least … most] of {sides['ours']['runs']} runs of {result['iterations']} iterations, batch 64"
    yield f"{'':20}{'ms/iteration':30}{'/ ours':>7}   {'start to 1st, s':26}peak, MB"
    for name, side in sides.items():
        label = name if name == "ours" else f"PyTorch {name}"
        yield (f"{label:20}{spread(side['iteration'], 1e3, 2):30}{side['iteration']['median'] / ours:7.2f}   "
               f"{spread(side['start_to_first'], 1, 2):26}{spread(side['peak_bytes'], 1e-6, 0)}")
    speed, start, memory = (result["against_best"][measure] for measure in figures.MEASURES)
    yield (f"against PyTorch's best: an iteration {times(speed)}; the start to the first iteration {times(start)}; "
           f"{peak_memory(sides, memory)}")
    yield from cuda_wheel_lines(sides)
