# SPDX-License-Identifier: MIT
"""Neural style transfer: style_transfer against PyTorch, in turns, on one machine."""

import contextlib
import functools
import json
import subprocess
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from toolkit import ROOT, ToolError

from . import figures, pictures, profile
from .process import closing_figures, follow


@dataclass(frozen=True)
class Mode:
    """A way in which PyTorch can be run."""
    name: str  # of rivals/nst.py's --mode
    precision: str
    env: dict = field(default_factory=dict)


# PyTorch asks the system for each large tensor and gives it back, as malloc does by default. This keeps the memory, in huge
# pages where the system has them: no page faults after the first iterations, but more memory. The arithmetic is the same.
KEPT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "536870912", "THP_MEM_ALLOC_ENABLE": "1"}
MODES = {name: Mode(name, precision) for name, precision in
         (("eager", "f32"), ("channels_last", "f32"), ("compile", "f32"), ("bf16", "bf16"), ("bf16_compile", "bf16"))}
MODES |= {f"{name}+kept": Mode(name, mode.precision, KEPT) for name, mode in MODES.items() if name != "eager"}

AGREEMENT = 0.01  # how far apart the losses of f32 may be
WEIGHTS = ROOT / "weights" / "vgg19.safetensors"


class Programs:
    """How both sides are started."""

    def __init__(self, binaries, torch_python, weights, threads, env):
        self.program, self.torch_python, self.weights, self.threads = Path(binaries) / "style_transfer", torch_python, weights, threads
        self.env = {**env, "OMP_NUM_THREADS": str(threads)}

    @functools.cached_property
    def f32(self):
        """Options that pin f32; an older build has no other precision, and no option for it."""
        with contextlib.suppress(OSError):  # follow() says why it does not start
            if "--precision" not in subprocess.run([self.program, "--help"], capture_output=True, text=True, check=False).stdout:
                return []
        return ["--precision", "f32"]

    def ours(self, size, content, style, iterations, folder, more=()):
        """One run of style_transfer on PNGs of that size."""
        command = [self.program, "--content", content, "--style", style, "--output", Path(folder) / "result.png", "--size", size,
                   "--style-size", size, "--iterations", iterations, "--weights", self.weights, "--threads", self.threads,
                   "--log", "LOG", *self.f32, "--quiet", *more]
        return follow("style_transfer", command, self.env)

    def theirs(self, name, size, content, style, iterations):
        """One run of rivals/nst.py in one of MODES, on files of RGB bytes; (run, what it printed)."""
        mode = MODES[name]
        command = [self.torch_python, ROOT / "benchmarks" / "rivals" / "nst.py", "--mode", mode.name, "--weights", self.weights,
                   "--content", content, "--style", style, "--size", size, "--iterations", iterations, "--threads", self.threads,
                   "--log", "LOG"]
        run = follow(f"PyTorch ({name})", command, {**self.env, **mode.env})
        return run, closing_figures(f"PyTorch ({name})", run)


def input_fingerprints(checkpoint):
    """What a checkpoint of style_transfer says of its content and its style, as the network saw them."""
    try:
        with open(checkpoint, "rb") as file:
            metadata = json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]
        return [metadata["setting.--content"], metadata["setting.--style 1"]]
    except (OSError, ValueError, KeyError) as error:
        raise ToolError(f"{checkpoint}: the checkpoint of style_transfer does not name its inputs ({error!r})") from None


def compare(programs, size, modes, pair, iterations, timing_iterations, repeats, log=print):
    """Runs everything at one size; a dictionary for the report. `pair`: the paths of content and style. The first round does
    `iterations`, whose losses are compared, the others (and the modes that differ in nothing but memory) at most `timing_iterations`."""
    short = min(iterations, timing_iterations)
    with tempfile.TemporaryDirectory(prefix="lily-nst-") as folder:
        png, rgb = zip(*(pictures.prepare(path, size, folder, name) for path, name in zip(pair, ("content", "style"))))
        runs = {name: [] for name in ("ours", *modes)}
        for repeat in range(repeats):
            for name in list(runs) if repeat % 2 == 0 else reversed(runs):
                count = iterations if repeat == 0 and not name.endswith("+kept") else short
                if name == "ours":
                    checkpoint = Path(folder) / "checkpoint"
                    more = ("--checkpoint", checkpoint, "--checkpoint-every", 10**9) if repeat == 0 else ()
                    run = programs.ours(size, *png, count, folder, more)
                    inputs = input_fingerprints(checkpoint)
                else:
                    run, said = programs.theirs(name, size, *rgb, count)
                    if repeat == 0 and said["inputs"] != inputs:
                        raise ToolError(f"at {size}x{size} both sides did not get the same pictures: {inputs} here, "
                                        f"{said['inputs']} in PyTorch ({name})")
                runs[name].append(run)
                log(f"  {size}x{size}, round {repeat + 1} of {repeats}: {name:18} "
                    f"{figures.iteration_seconds(run.seconds):8.4f} s/iteration, {len(run.seconds)} iterations")
        csv = Path(folder) / "profile.csv"
        programs.ours(size, *png, max(short, figures.LEFT_OUT + 1), folder, ("--profile", csv))
        rows, profile_iterations = profile.read(csv)
    return summary(size, runs, rows, profile_iterations)


def summary(size, runs, rows, profile_iterations):
    """What the report shows of the runs at one size: {"ours": [Run...], mode: [Run...]}."""
    sides = {name: figures.Side.of(many) for name, many in runs.items()}
    first = {name: many[0].totals for name, many in runs.items()}
    distances = {name: figures.curve_distance(first["ours"], totals) for name, totals in first.items() if name != "ours"}
    precisions = {}
    for precision in dict.fromkeys(MODES[name].precision for name in distances):
        modes = {name: sides[name] for name in distances if MODES[name].precision == precision}
        precisions[precision] = {measure: figures.ratio(modes, sides["ours"], measure) for measure in figures.MEASURES}
    return {
        "size": size,
        "iterations": len(first["ours"]),
        "work": asdict(profile.work(rows, profile_iterations)),
        "sides": {name: side.plain() for name, side in sides.items()},
        "against_best": precisions,
        "loss_distance": distances,
        "disagreeing": [name for name, distance in distances.items() if MODES[name].precision == "f32" and not distance <= AGREEMENT],
        "losses": first,
        "runs": {name: [{"seconds": run.seconds, "start_to_first": run.start_to_first, "peak_bytes": run.peak_bytes,
                         "cuda_library_bytes": run.cuda_library_bytes} for run in many]
                 for name, many in runs.items()},
        "profile": {"iterations": profile_iterations, "ops": profile.shares(rows, profile_iterations),
                    "convolutions": profile.convolutions(rows, profile_iterations)},
    }
