# SPDX-License-Identifier: MIT
"""How good are the samples? mnist_gan and the same recipe in PyTorch, trained on the same pictures, judged by one classifier."""

import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from toolkit import ROOT, ToolError

from .process import last_line


class Programs:
    """How both sides are trained, and what judges them."""

    def __init__(self, binaries, torch_python, threads, data, epochs, count):
        self.program, self.torch_python, self.threads = Path(binaries) / "mnist_gan", torch_python, threads
        self.data, self.epochs, self.count = data, epochs, count

    def ours(self, seed, folder):
        """Path of the samples."""
        run, samples = folder / f"ours{seed}", folder / f"ours{seed}.safetensors"
        self.call("mnist_gan", "train", "--data", self.data, "--out", run, "--epochs", self.epochs, "--seed", seed, "--evaluate-every", 0,
                  "--threads", self.threads, "--precision", "f32", "--quiet")
        self.call("mnist_gan", "sample", "--model", run / "model.safetensors", "--count", self.count, "--seed", seed, "--out", samples,
                  "--quiet")
        return samples

    def theirs(self, seed, folder):
        samples = folder / f"pytorch{seed}.idx"
        self.call("PyTorch", ROOT / "benchmarks" / "rivals" / "gan_quality.py", "--data", self.data, "--epochs", self.epochs, "--seed", seed,
                  "--threads", self.threads, "--samples", samples, "--count", self.count)
        return samples

    def judge(self, samples, folder):
        """What `mnist_gan evaluate` says of them; the classifier is trained once."""
        classifier, said = folder / "classifier.safetensors", folder / "quality.json"
        self.call("mnist_gan", "evaluate", "--samples", samples, "--data", self.data, "--classifier", classifier, "--json", said, "--quiet",
                  *([] if classifier.exists() else ["--train-classifier"]))
        return json.loads(said.read_text(encoding="utf-8"))

    def call(self, name, *words):
        command = [str(word) for word in (self.program if name == "mnist_gan" else self.torch_python, *words)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise ToolError(f"{name} failed ({done.returncode}): {last_line(done.stderr)}")


def compare(programs, seeds, log=print):
    """{"ours": [a dictionary per seed], "pytorch": [...]}"""
    found = {"ours": [], "pytorch": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            for side, train in (("ours", programs.ours), ("pytorch", programs.theirs)):
                found[side].append(programs.judge(train(seed, Path(folder)), Path(folder)) | {"seed": seed})
                log(f"  seed {seed}: {side:8} Fréchet distance {found[side][-1]['frechet']:.2f}")
    return found


def lines(found):
    """The table: a row per run, and the means."""
    yield f"{'':10}{'seed':>5}{'Fréchet':>10}{'confidence':>12}{'least, %':>10}{'most, %':>9}"
    for side, runs in found.items():
        for q in runs:
            yield (f"{side:10}{q['seed']:5}{q['frechet']:10.2f}{q['confidence']:12.3f}{100 * min(q['shares']):10.1f}"
                   f"{100 * max(q['shares']):9.1f}")
    for side, runs in found.items():
        distances = [q["frechet"] for q in runs]
        spread = f" ± {statistics.stdev(distances):.2f}" if len(distances) > 1 else ""
        yield f"{side}: Fréchet distance {statistics.fmean(distances):.2f}{spread}"
