# SPDX-License-Identifier: MIT
"""The program stylegan: what it writes, and the promises of every training program (resume_cases.py)."""

import csv
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
from common import heed_signals, idx
from PIL import Image
from resume_cases import ResumeCases, hashes

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")) / "stylegan"
heed_signals()


def run_program(*command, code=0):
    """Runs stylegan and expects that exit code; None: any other than 0."""
    result = subprocess.run([str(part) for part in (PROGRAM, *command)], capture_output=True, text=True, timeout=300)
    if result.returncode != code if code is not None else result.returncode <= 0:
        raise AssertionError(f"{command}: exit code {result.returncode}: {result.stderr}")
    return result


class StyleGanTest(ResumeCases, unittest.TestCase):
    LONG = ("--checkpoint-every", 0.03)
    FEW, MANY = 60, 150
    # Tiny networks that grow from 8x8 to 16x16 within 12 steps of 4.
    TINY = ("--resolution", 16, "--latent", 8, "--feature-max", 8, "--level-kimg", 0.024, "--batch-size", 4,
            "--sample-every", 0.04, "--check-every", 20, "--grid", "3x2", "--threads", 1)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        (self.dir / "data").mkdir()
        rng = np.random.default_rng(3)
        pictures = rng.integers(0, 40, (60, 14, 14))
        labels = np.arange(60) % 3
        pictures[np.arange(60), 2 + 3 * labels] += 200
        (self.dir / "data/train-images-idx3-ubyte").write_bytes(idx(pictures))
        (self.dir / "data/train-labels-idx1-ubyte").write_bytes(idx(labels))

    def train_command(self, out, iterations, *options):
        return [str(part) for part in (PROGRAM, "train", "--data", self.dir / "data", "--out", self.dir / out,
                                       "--iterations", iterations, "--evaluate-every", 0, *self.TINY, *options)]

    def run_it(self, *command, code=0):
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def train(self, out, iterations, *options, code=0):
        return self.run_it(*self.train_command(out, iterations, *options), code=code)

    def generate(self, out, *options, model="run/model.safetensors", code=0):
        return self.run_it(PROGRAM, "generate", "--model", self.dir / model, "--out", self.dir / out, *options, code=code)

    def fails(self, message, *command):
        result = subprocess.run([PROGRAM, *map(str, command)], capture_output=True, text=True, timeout=300)
        self.assertGreater(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr.splitlines()[-1], "^stylegan: .*" + message)

    def test_files(self):
        self.train("run", 40, "--evaluate-every", 0.08)
        with open(self.dir / "run/log.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([(row["resolution"], row["alpha"]) for row in rows[:13]],
                         [("8", "1")] * 6 + [("16", str(i / 6) if i else "0") for i in range(6)] + [("16", "1")])
        self.assertEqual(float(rows[-1]["kimg"]), 0.16)
        with open(self.dir / "run/quality.csv", newline="") as file:
            self.assertEqual([row["iteration"] for row in csv.DictReader(file)], ["20", "40"])
        # Grids of one size over the whole training, 8x8 pictures doubled.
        for step in (10, 20, 40):
            with Image.open(self.dir / f"run/samples/{step:07}.png") as image:
                self.assertEqual(image.size, (48, 32))
        for name in ("samples.png", "sheet.png", "best.safetensors", "model.safetensors", "losses.svg"):
            self.assertTrue((self.dir / "run" / name).exists(), name)

    def test_generate(self):
        self.train("run", 14)
        self.generate("all", "--seeds", "0-40")
        self.generate("some", "--seeds", "40,3-5")
        every = hashes(self.dir / "all")
        for seed in (3, 4, 5, 40):
            self.assertEqual(hashes(self.dir / "some")[f"seed{seed:04}.png"], every[f"seed{seed:04}.png"])
        with Image.open(self.dir / "some/sheet.png") as sheet, Image.open(self.dir / "some/seed0003.png") as second:
            self.assertEqual(sheet.size, (8 * 16, 16))
            self.assertTrue(np.array_equal(np.asarray(sheet)[:, 16:32], np.asarray(second)))
        # No truncation and another noise make other pictures, psi 0 and no noise the same one of all seeds.
        self.generate("psi", "--seeds", "3", "--psi", 1)
        self.assertNotEqual(hashes(self.dir / "psi")["seed0003.png"], every["seed0003.png"])
        self.generate("mean", "--seeds", "3,4", "--psi", 0, "--cutoff", 18, "--noise", "none", "--threads", 2)
        mean = hashes(self.dir / "mean")
        self.assertEqual(mean["seed0003.png"], mean["seed0004.png"])
        self.generate("of_checkpoint", "--seeds", "3", model="run/checkpoint.safetensors")
        self.assertEqual(hashes(self.dir / "of_checkpoint")["seed0003.png"], every["seed0003.png"])

    def test_classes(self):
        self.train("run", 4, "--labels")
        self.generate("one", "--seeds", "1", "--class", 2)
        self.generate("other", "--seeds", "1", "--class", 0)
        self.assertNotEqual(hashes(self.dir / "one")["seed0001.png"], hashes(self.dir / "other")["seed0001.png"])
        model = ("generate", "--model", self.dir / "run/model.safetensors", "--out", self.dir / "no")
        self.fails("--class 3 is not one of the model's, 0 to 2", *model, "--class", 3)
        self.train("plain", 4)
        self.fails("--class needs a model that was trained with --labels", *model[:2], self.dir / "plain/model.safetensors",
                   *model[3:], "--class", 1)

    def test_a_folder_of_pictures_in_colour(self):
        (self.dir / "photos").mkdir()
        for i in range(8):
            Image.new("RGBA", (20 + i, 30), (30 * i, 0, 255, 128)).save(self.dir / f"photos/{i}.png")
        (self.dir / "photos/broken.png").write_bytes(b"no picture")
        result = self.train("run", 3, "--data", self.dir / "photos", "--mirror", "--augment", "colour,translation,cutout",
                            "--loss", "r3")
        self.assertRegex(result.stderr, "1 of 9 pictures is skipped: .*broken.png")
        self.generate("out", "--seeds", "0")
        with Image.open(self.dir / "out/seed0000.png") as image:
            self.assertEqual((image.mode, image.size), ("RGB", (8, 8)))

    def test_what_is_refused(self):
        self.train("run", 5)
        self.fails(r"made with other settings: --gamma 2 \(was 1\), --level-kimg", *self.train_command(
            "run", 9, "--resume", "--gamma", 2, "--level-kimg", 1)[1:])
        for message, options in (
                ("expected a resolution of 8, 16, … 1024, got 24", ("--resolution", 24)),
                ("expected a batch of a multiple of 4 pictures, got 6", ("--batch-size", 6)),
                ("'noise' is none of colour, translation, cutout", ("--augment", "noise")),
                ("the pictures are 14x14; choose a --resolution of 14 or more", ("--resolution", 8))):
            self.fails(message, *self.train_command("new", 5, *options)[1:])
        self.assertFalse((self.dir / "new").exists())
        for seeds in ("", "a", "3-1", "1,", "0-99999999", "1;2"):
            self.fails("--seeds", "generate", "--model", self.dir / "run/model.safetensors", "--out", self.dir / "no", "--seeds", seeds)
        self.fails("is not a checkpoint of lilypad", "generate", "--model", ROOT / "tests/golden/gan.safetensors", "--out", self.dir / "no")


if __name__ == "__main__":
    unittest.main()
