# SPDX-License-Identifier: MIT
"""clip train and evaluate: what they write, and the promises of every training program (resume_cases.py)."""

import csv
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
from common import heed_signals, idx, mpirun
from PIL import Image
from resume_cases import ResumeCases

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")) / "clip"
VOCABULARY = ROOT / "weights/bpe_simple_vocab_16e6.txt.gz"
COLOURS = {"red": (220, 30, 30), "green": (20, 200, 40), "blue": (30, 40, 220), "white": (250, 250, 250)}
heed_signals()


@unittest.skipUnless(VOCABULARY.exists(), "weights/bpe_simple_vocab_16e6.txt.gz is not there: run tools/convert_clip.py")
class ClipTrainTest(ResumeCases, unittest.TestCase):
    LONG = ("--checkpoint-every", 7)
    FEW, MANY = 100, 300
    TINY = ("--image-size", 8, "--patch-size", 4, "--width", 8, "--layers", 1, "--heads", 2, "--embed-dim", 8, "--context-length", 12,
            "--batch-size", 12, "--piece", 6, "--warm-up", 5, "--threads", 1)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        rng = np.random.default_rng(3)
        for name, count in (("data", 48), ("test", 16)):
            (self.dir / name).mkdir()
            for i in range(count):
                word, colour = list(COLOURS.items())[i % 4]
                pixels = np.clip(np.array(colour) + rng.integers(-20, 20, (8, 8, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(self.dir / name / f"{i}.png")
                (self.dir / name / f"{i}.txt").write_text(f"A {word} picture\n" if i % 8 else f"a {word.upper()} picture\n")

    def train_command(self, out, iterations, *options):
        return [str(part) for part in (PROGRAM, "train", "--data", self.dir / "data", "--out", self.dir / out, "--iterations", iterations,
                                       "--vocabulary", VOCABULARY, *self.TINY, *options)]

    def run_it(self, *command, code=0):
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def train(self, out, iterations, *options, code=0):
        return self.run_it(*self.train_command(out, iterations, *options), code=code)

    def evaluate(self, *options, model="run/model.safetensors", code=0):
        return self.run_it(PROGRAM, "evaluate", "--model", self.dir / model, "--vocabulary", VOCABULARY, *options, code=code)

    def fails(self, message, *command):
        result = subprocess.run([PROGRAM, *map(str, command)], capture_output=True, text=True, timeout=300)
        self.assertGreater(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr.splitlines()[-1], "^clip: .*" + message)

    def test_more_iterations(self):  # the learning rate's way down depends on their number
        self.train("run", 9)
        self.train("run", 9, "--resume")
        self.fails(r"made with other settings: steps in all 21 \(was 9\)", *self.train_command("run", 21, "--resume")[1:])

    def test_colours_by_their_captions(self):
        for loss in ("softmax", "sigmoid"):
            result = self.train(loss, 150, "--test", self.dir / "test", "--evaluate-every", 75, "--loss", loss, "--learning-rate", 0.01)
            self.assertRegex(result.stderr, "of 16 test pictures: texts found")
            with open(self.dir / loss / "test.csv", newline="") as file:
                rows = list(csv.DictReader(file))
            self.assertEqual([row["iteration"] for row in rows], ["75", "150"])
            self.assertGreater(float(rows[-1]["text_at_1"]), 0.9, loss)
            self.assertTrue((self.dir / loss / "loss.svg").exists())
        out = self.evaluate("--data", self.dir / "test", "--json", self.dir / "r.json", model="softmax/model.safetensors").stdout
        self.assertRegex(out, "16 pictures, 4 texts")
        found = json.loads((self.dir / "r.json").read_text())
        self.assertGreater(found["text_of_picture"][0], 0.9)
        self.assertEqual(found["chance_text"], [0.25, 1, 1], "of four texts")
        # Among texts that no picture has too.
        (self.dir / "lines.txt").write_text("a red picture\na green picture\na black picture\na white picture\na blue picture\n")
        out = self.evaluate("--data", self.dir / "test", "--texts", self.dir / "lines.txt", model="softmax/model.safetensors").stdout
        self.assertRegex(out, "16 pictures, 5 texts")
        (self.dir / "lines.txt").write_text("a red picture\n")
        self.fails("lines.txt' lacks the caption 'A green picture'", "evaluate", "--model", self.dir / "softmax/model.safetensors",
                   "--vocabulary", VOCABULARY, "--data", self.dir / "test", "--texts", self.dir / "lines.txt")

    def test_classes_by_templates(self):
        rng = np.random.default_rng(1)
        (self.dir / "mnist").mkdir()
        for name, count in (("train", 60), ("t10k", 30)):
            labels = np.arange(count) % 3
            pictures = rng.integers(0, 40, (count, 8, 8))
            pictures[np.arange(count), 1 + 2 * labels] += 200
            (self.dir / f"mnist/{name}-images-idx3-ubyte").write_bytes(idx(pictures))
            (self.dir / f"mnist/{name}-labels-idx1-ubyte").write_bytes(idx(labels))
        words = ("--data", self.dir / "mnist", "--learning-rate", 0.01)
        result = self.train("run", 120, *words, "--class-names", "roof,shelf,floor", "--evaluate-every", 120)
        share = float(result.stderr.split("zero-shot: ")[1].split(" %")[0])
        self.assertGreater(share, 90)
        out = self.evaluate("--data", self.dir / "mnist", "--class-names", "roof,shelf,floor").stdout
        self.assertEqual(float(out.split()[2]), share)
        self.fails("has classes: name them by --class-names", *self.train_command("no", 3, *words)[1:])
        self.fails("expected names of 3 classes, got 2", *self.train_command("no", 3, *words, "--class-names", "a,b")[1:])
        (self.dir / "templates").write_text("a photo\n")
        self.fails("'a photo' has no {}", *self.train_command("no", 3, *words, "--class-names", "a,b,c", "--templates", self.dir / "templates")[1:])

    def test_a_whole_batch_and_pieces_begin_alike(self):
        self.train("pieces", 3)
        self.train("whole", 3, "--piece", 0)
        rows = [list(csv.reader((self.dir / out / "log.csv").read_text().splitlines()))[1:] for out in ("pieces", "whole")]
        for a, b in zip(*rows, strict=True):
            self.assertAlmostEqual(float(a[2]), float(b[2]), delta=1e-4)

    @unittest.skipUnless(shutil.which("mpirun"), "there is no mpirun (apt install openmpi-bin)")
    def test_several_processes(self):
        losses = []
        for count in (1, 2, 3):
            command, env = mpirun(count, self.train_command(f"by{count}", 5, "--quiet"))
            subprocess.run(command, check=True, timeout=300, env=env)
            with (self.dir / f"by{count}/log.csv").open(newline="") as file:
                losses.append([float(row["loss"]) for row in csv.DictReader(file)])
        for other in losses[1:]:
            for a, b in zip(losses[0], other, strict=True):
                self.assertLess(abs(a - b), 1e-5 * abs(a))

    def test_what_is_refused(self):
        for message, options in (("--width 9 is not a multiple of --heads 2", ("--width", 9)),
                                 ("pictures of 8x8 do not consist of patches of 3x3", ("--patch-size", 3)),
                                 ("there is no folder", ("--data", self.dir / "nowhere")),
                                 ("cannot read .*nowhere", ("--vocabulary", self.dir / "nowhere"))):
            self.fails(message, *self.train_command("no", 3, *options)[1:])
        self.assertFalse((self.dir / "no").exists())


if __name__ == "__main__":
    unittest.main()
