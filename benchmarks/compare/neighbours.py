# SPDX-License-Identifier: MIT
"""Ours, an older build of ours and PyTorch, alone and beside programs that keep cores busy."""

import contextlib
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

from toolkit import ToolError

from . import figures, gan, nst, pictures, profile
from .report import spread
from .work import HEADER, Work, parts

BUSY = "while True: pass"


@dataclass
class Options:
    folders: dict  # name: programs of a build, "ours" first
    python: Path  # that has PyTorch
    weights: Path
    threads: int
    env: dict
    size: int
    pair: tuple  # paths of content and style
    nst_modes: list
    gan_modes: list
    iterations: tuple  # of style transfer, of the GAN
    counts: list  # of busy loops
    repeats: int


@contextlib.contextmanager
def busy_loops(count):
    """So many programs that never wait, each in a session of its own, as programs of other users are."""
    loops = []
    try:
        for _ in range(count):
            loops.append(subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True))
        yield
        if any(loop.poll() is not None for loop in loops):
            raise ToolError("a busy loop has ended before what it should disturb")
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def seconds_of(run):
    """Of an iteration after the first two, by mean: a median would not see the stalls."""
    return mean(run.seconds[figures.LEFT_OUT:] or run.seconds)


def sides_of(folders, make, modes):
    """{name: () -> Run}: `make(folder)` gives the Programs of a build; PyTorch's modes are run by those of the first."""
    sides = {name: (lambda programs=make(folder): programs("ours")) for name, folder in folders.items()}
    theirs = make(next(iter(folders.values())))
    return sides | {f"PyTorch {mode}": (lambda mode=mode: theirs(mode)) for mode in modes}


def measure(sides, counts, repeats, label, log=print):
    """{side: {count: Figure}}: rounds of every side beside every number of busy loops, in an order that is drawn."""
    seconds = {(name, count): [] for name in sides for count in counts}
    for repeat in range(repeats):
        for name, count in random.sample(list(seconds), len(seconds)):
            with busy_loops(count):
                seconds[name, count].append(seconds_of(sides[name]()))
            log(f"  {label}, round {repeat + 1} of {repeats}: {name:24} beside {count}: {seconds[name, count][-1] * 1e3:9.2f} ms")
    return {name: {count: figures.Figure.of(seconds[name, count]) for count in counts} for name in sides}


def compare(options, log=print):
    """Both tasks; {task: {"work": ..., "sides": {side: {number of loops: Figure}}}} for the report."""
    tasks = {}
    with tempfile.TemporaryDirectory(prefix="lily-neighbours-") as folder:
        png, rgb = zip(*(pictures.prepare(path, options.size, folder, name) for path, name in zip(options.pair, ("content", "style"))))

        def transfer(binaries):
            programs = nst.Programs(binaries, options.python, options.weights, options.threads, options.env)

            def run(name):
                if name == "ours":
                    return programs.ours(options.size, *png, options.iterations[0], folder)
                return programs.theirs(name, options.size, *rgb, options.iterations[0])[0]
            return run

        def step(binaries):
            programs = gan.Programs(binaries, {"PyTorch": options.python}, options.threads, options.env)
            return lambda name: programs.run(name, options.iterations[1])

        csv = Path(folder) / "profile.csv"
        nst.Programs(options.folders["ours"], None, options.weights, options.threads, options.env).ours(
            options.size, *png, 3, folder, ("--profile", csv))
        for label, make, modes, work in ((f"style transfer {options.size}x{options.size}", transfer, options.nst_modes,
                                          profile.work(*profile.read(csv))),
                                         ("GAN step", step, options.gan_modes, gan.step_work())):
            sides = measure(sides_of(options.folders, make, modes), options.counts, options.repeats, label, log)
            tasks[label] = {"work": asdict(work), "sides": {name: {str(count): asdict(figure) for count, figure in of_side.items()}
                                                            for name, of_side in sides.items()}}
    return tasks


def lines(result, machine):
    """A table per task: ms, how many times longer than ours, and what part of the limits that is."""
    for label, task in result.items():
        sides, work = task["sides"], Work(**task["work"])
        counts = list(next(iter(sides.values())))
        yield f"{label}: ms per iteration, mean of a run; median [least … most] of the runs; / ours"
        yield f"{'':26}" + "".join(f"{'alone' if count == '0' else f'beside {count} busy':32}{'/ ours':>6}{HEADER}   " for count in counts)
        for name, of_side in sides.items():
            cells = []
            for count in counts:
                one = of_side[count]
                ratio = one["median"] / sides["ours"][count]["median"]
                cells.append(f"{spread(one, 1e3, 2):32}{ratio:6.2f}{parts(work, one['median'], machine)}   ")
            yield f"{name:26}" + "".join(cells).rstrip()
