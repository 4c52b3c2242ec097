# SPDX-License-Identifier: MIT
"""The program tutorial_train: what it writes, and the promises of every training program (resume_cases.py)."""

import csv
import gzip
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
from common import heed_signals, idx
from PIL import Image
from resume_cases import ResumeCases

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")) / "tutorial_train"
heed_signals()


class TutorialTest(ResumeCases, unittest.TestCase):
    LONG = ("--checkpoint-every", 7)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        (self.dir / "data").mkdir()
        rng = np.random.default_rng(3)
        for name, count in (("train", 60), ("t10k", 30)):
            labels = np.arange(count) % 4  # a bright row somewhere, with grain
            pictures = rng.integers(0, 40, (count, 8, 8))
            pictures[np.arange(count), 1 + labels] += 200
            labels[0] = 3  # a mistake that stays
            (self.dir / f"data/{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures)))
            (self.dir / f"data/{name}-labels-idx1-ubyte").write_bytes(idx(labels))

    def train_command(self, out, iterations, *options):
        return [str(part) for part in (PROGRAM, "--data", self.dir / "data", "--out", self.dir / out, "--iterations", iterations,
                                       "--batch-size", 8, "--threads", 1, *options)]

    def train(self, out, iterations, *options, code=0):
        result = subprocess.run(self.train_command(out, iterations, *options), capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def fails(self, message, *command):
        result = subprocess.run([PROGRAM, *command], capture_output=True, text=True, timeout=300)
        self.assertGreater(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr.splitlines()[-1], "^tutorial_train: .*" + message)

    def test_files(self):
        result = self.train("run", 105)
        with open(self.dir / "run/test.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([int(row["iteration"]) for row in rows], list(range(7, 106, 7)), "7 batches of 8 in 60")
        self.assertGreater(float(rows[-1]["percent_right"]), 90)
        self.assertRegex(result.stderr, r"[0-9.]+ % of 30 test pictures are right")
        with Image.open(self.dir / "run/mistakes/0000007.png") as image:
            self.assertEqual(image.width, 64)
        self.assertTrue((self.dir / "run/sheet.png").exists())
        self.assertIn(b"<svg", (self.dir / "run/loss.svg").read_bytes())

    def test_precision(self):
        self.fails("--precision tf32 needs a GPU, the CPU computes in f32 only; see --device$",
                   *self.train_command("run", 5, "--device", "cpu", "--precision", "tf32")[1:])
        self.assertFalse((self.dir / "run").exists())
        self.fails("--precision: .*half", *self.train_command("run", 5, "--precision", "half")[1:])
        on_gpu = self.train_command("run", 1, "--device", "simt", "--precision", "bf16")
        if subprocess.run(on_gpu, capture_output=True, timeout=300).returncode:
            self.skipTest("this build has no software GPU")
        self.fails(r"made with other settings: --precision f32 \(was bf16\)", *self.train_command("run", 2, "--resume")[1:])

    def test_what_matters_to_a_resumed_run(self):
        self.train("run", 5)
        self.fails(r"made with other settings: --batch-size 4 \(was 8\), --seed 1 \(was 0\)",
                   *self.train_command("run", 9, "--resume", "--batch-size", 4, "--seed", 1)[1:])
        self.train("run", 9, "--resume", "--checkpoint-every", 2, "--threads", 2)
        labels = self.dir / "data/train-labels-idx1-ubyte"
        labels.write_bytes(labels.read_bytes()[:-1] + b"\0")
        self.fails("made with other settings: --data ", *self.train_command("run", 12, "--resume")[1:])

    def test_cosine_goes_on_with_the_same_bits(self):
        self.train("whole", 30, "--cosine", 6)
        self.train("stairs", 30)
        self.fails(r"made with other settings: --cosine 5 \(was 6\)", *self.train_command("whole", 40, "--resume", "--cosine", 5)[1:])
        process = subprocess.Popen(self.train_command("cut", 30, "--cosine", 6, "--checkpoint-every", 2), stderr=subprocess.DEVNULL)
        while process.poll() is None:  # kill -9 in the middle
            log = self.dir / "cut/log.csv"
            if log.exists() and log.read_bytes().count(b"\n") > 9:
                process.kill()
                break
        process.wait()
        self.train("cut", 30, "--cosine", 6, "--resume", "--checkpoint-every", 2)
        for name in ("log.csv", "test.csv", "checkpoint.safetensors"):
            self.assertEqual((self.dir / "cut" / name).read_bytes(), (self.dir / "whole" / name).read_bytes(), name)
        self.assertNotEqual((self.dir / "stairs/log.csv").read_bytes(), (self.dir / "whole/log.csv").read_bytes())
        self.fails("expected 1 <= warm_up < total, got 9 and 9", *self.train_command("short", 9, "--cosine", 9)[1:])

    def test_one_process_at_a_time(self):
        process = subprocess.Popen(self.train_command("run", 100000, "--quiet"))
        try:
            while not (self.dir / "run/log.csv").exists() and process.poll() is None:
                pass
            self.fails("another process is training in", *self.train_command("run", 5, "--resume")[1:])
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    unittest.main()
