# SPDX-License-Identifier: MIT
"""The program mnist_gan as a user meets it: every command, every flag, bad input, kill -9 and resuming."""

import csv
import gzip
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
from common import heed_signals, idx
from PIL import Image
from resume_cases import ResumeCases, hashes

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")).resolve()
PROGRAM = BIN / "mnist_gan"
SMALL = ("--latent", 6, "--g-hidden", "12,10", "--d-hidden", "14,8", "--batch-size", 8, "--grid", "3x2", "--evaluate-every", 0, "--threads", 1)

heed_signals()


def bars(count, side=8):
    """Four kinds of pictures: a bright row somewhere, with grain; and their labels."""
    rng = np.random.default_rng(3)
    labels = np.arange(count) % 4
    pictures = rng.integers(0, 40, (count, side, side))
    for i, label in enumerate(labels):
        pictures[i, 1 + label] = 200 + pictures[i, 1 + label]
    return pictures.astype(np.uint8), labels


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        self.data = self.dir / "data"
        self.data.mkdir()
        pictures, labels = bars(60)
        (self.data / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures)))
        (self.data / "train-labels-idx1-ubyte").write_bytes(idx(labels))

    def command(self, name, *options):
        return [str(part) for part in (PROGRAM, name, *options)]

    def run_program(self, name, *options, limit=None):
        """limit: (resource, bytes) of setrlimit, for the program."""
        before = (lambda: resource.setrlimit(limit[0], (limit[1], resource.getrlimit(limit[0])[1]))) if limit else None
        return subprocess.run(self.command(name, *options), capture_output=True, text=True, timeout=300, cwd=self.dir, preexec_fn=before)

    def succeeds(self, name, *options, code=0):
        result = self.run_program(name, *options)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def fails(self, message, name, *options, code=None, limit=None):
        result = self.run_program(name, *options, limit=limit)
        self.assertGreater(result.returncode, 0, f"no failure, or a signal: {result.returncode} {result.stderr}")
        if code is not None:
            self.assertEqual(result.returncode, code)
        lines = [line for line in result.stderr.splitlines() if line.startswith("mnist_gan: ")]
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertEqual(lines[0], result.stderr.splitlines()[-1])
        self.assertRegex(lines[0], message)

    def train_options(self, out="run", iterations=6, *more):
        return ("--data", self.data, "--out", self.dir / out, "--iterations", iterations, *SMALL, *more)

    def train(self, out="run", iterations=6, *more, code=0):
        return self.succeeds("train", *self.train_options(out, iterations, *more), code=code)

    def rows(self, path):
        with open(self.dir / path, newline="") as file:
            return list(csv.DictReader(file))

    def picture(self, path):
        with Image.open(self.dir / path) as image:
            return np.asarray(image)

    def hashes(self, out):
        return hashes(self.dir / out)

class TrainTest(Case):
    def test_files(self):
        result = self.train("run", 20, "--sample-every", 5, "--ema", 0.9)
        names = sorted(self.hashes("run"))
        self.assertEqual(names, ["checkpoint.safetensors", "grids/0000005.png", "grids/0000010.png", "grids/0000015.png", "grids/0000020.png",
                                 "log.csv", "losses.svg", "model.safetensors", "monitor.csv", "quality.csv", "samples.png", "sheet.png"])
        rows = self.rows("run/log.csv")
        self.assertEqual(list(rows[0]), ["iteration", "epoch", "d_loss", "g_loss", "d_real", "d_fake", "penalty"])
        self.assertEqual([int(r["iteration"]) for r in rows], list(range(1, 21)))
        self.assertEqual([int(r["epoch"]) for r in rows], [1 + i // 7 for i in range(20)], "7 batches of 8 in 60")
        self.assertTrue(all(0 < float(r["d_real"]) < 1 for r in rows))
        self.assertEqual(self.picture("run/grids/0000020.png").shape, (16, 24))
        self.assertEqual(self.picture("run/samples.png").shape, (32, 48))
        self.assertEqual(self.picture("run/sheet.png").shape, (4 + 20, 4 * 28 + 4))
        self.assertTrue((self.picture("run/samples.png")[::2, ::2] == self.picture("run/grids/0000020.png")).all())
        self.assertTrue(xml.etree.ElementTree.parse(self.dir / "run/losses.svg").getroot().tag.endswith("svg"))
        self.assertRegex(result.stderr, r"60 pictures of 8x8, 4 classes")
        self.assertRegex(result.stderr, r"20/20  epoch 3  D [0-9.]+  G [0-9.]+  D\(x\) 0\.\d+  D\(G\(z\)\) 0\.\d+")
        self.assertNotIn("\r", result.stderr)
        result = self.train("quiet", 3, "--quiet")
        self.assertEqual((result.stdout, result.stderr), ("", ""))

    def test_same_seed_same_bits_for_any_threads(self):
        self.train("a", 12, "--threads", 1)
        self.train("b", 12, "--threads", 2)
        self.train("c", 12, "--seed", 1)
        self.assertEqual(self.hashes("a"), self.hashes("b"))
        self.assertNotEqual(self.rows("a/log.csv"), self.rows("c/log.csv"))

    def test_every_option_changes_the_training(self):
        self.train("plain", 12, "--quiet")
        before = self.rows("plain/log.csv")
        variants = [("--plain",), ("--dropout", 0.4), ("--conditional",), ("--loss", "minimax"), ("--loss", "lsgan"), ("--loss", "wgan-gp"),
                    ("--loss", "hinge"), ("--learning-rate", 0.01), ("--d-learning-rate", 0.01), ("--beta1", 0.9), ("--beta2", 0.9),
                    ("--label-smoothing", 0.1), ("--d-steps", 2), ("--latent", 5), ("--g-hidden", 9), ("--d-hidden", 9), ("--batch-size", 6),
                    ("--loss", "wgan-gp", "--gp-weight", 1), ("--ema", 0.5), ("--ema", 0)]
        seen = {hashlib.sha256(json.dumps(before).encode()).hexdigest()}
        for i, options in enumerate(variants):
            with self.subTest(options=options):
                out = f"v{i}"
                self.train(out, 12, *options, "--quiet")
                rows = self.rows(f"{out}/log.csv")
                self.assertEqual(len(rows), 12)
                if options[0] == "--ema":  # changes the samples only
                    self.assertEqual(rows, before)
                    self.assertFalse((self.picture(f"{out}/samples.png") == self.picture("plain/samples.png")).all())
                    continue
                digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
                self.assertNotIn(digest, seen)
                seen.add(digest)
                self.assertEqual(float(rows[-1]["penalty"]) > 0, "wgan-gp" in options)

    def test_epochs_and_simt(self):
        self.succeeds("train", "--data", self.data, "--out", self.dir / "e", *SMALL, "--epochs", 2)
        self.assertEqual(len(self.rows("e/log.csv")), 14)
        self.train("cpu", 4, "--device", "cpu")
        result = self.run_program("train", *self.train_options("simt", 4, "--device", "simt"))
        if "no software GPU" in result.stderr or "this build has no SIMT" in result.stderr:
            self.skipTest("no software GPU in this build")
        self.assertEqual(result.returncode, 0, result.stderr)
        for a, b in zip(self.rows("cpu/log.csv"), self.rows("simt/log.csv")):
            self.assertAlmostEqual(float(a["d_loss"]), float(b["d_loss"]), delta=1e-4)
            self.assertAlmostEqual(float(a["g_loss"]), float(b["g_loss"]), delta=1e-4)

    def test_picture_folders(self):
        pictures, labels = bars(24, 10)
        for i, (picture, label) in enumerate(zip(pictures, labels)):
            folder = self.dir / "png" / f"kind {label}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / f"{i}.png")
        result = self.succeeds("train", "--data", self.dir / "png", "--image-size", 12, "--out", self.dir / "run", *SMALL, "--iterations", 3,
                               "--conditional")
        self.assertRegex(result.stderr, "24 pictures of 12x12, 4 classes")
        self.assertEqual(self.picture("run/samples.png").shape, (48, 72))
        self.assertFalse((self.dir / "run/skipped.txt").exists())

    def test_broken_pictures_are_skipped(self):
        folder = self.dir / "png"
        folder.mkdir()
        pictures, _ = bars(40)
        for i, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / f"{i:02}.png")
        for name in ("07.png", "21.png"):
            (folder / name).write_bytes((folder / name).read_bytes()[:60])
        (folder / "photo.heic").write_bytes(b"of another kind")
        result = self.succeeds("train", "--data", folder, "--image-size", 8, "--out", self.dir / "run", *SMALL, "--iterations", 3)
        self.assertRegex(result.stderr, r"warning: 3 of 41 pictures are skipped, the first: '.*07.png': .*\n")
        self.assertRegex(result.stderr, "38 pictures of 8x8")
        lines = (self.dir / "run/skipped.txt").read_text().splitlines()
        self.assertEqual([Path(line.split("\t")[0]).name for line in lines], ["07.png", "21.png", "photo.heic"])
        self.assertTrue(all(len(line.split("\t")[1]) > 10 for line in lines))

    def test_evaluation_keeps_the_best(self):
        options = [o for o in SMALL if o not in ("--evaluate-every", 0)]
        result = self.succeeds("train", "--data", self.data, "--out", self.dir / "run", *options, "--epochs", 3, "--evaluate-every", 1)
        self.assertRegex(result.stderr, r"classifier: [0-9.]+ % of 6 pictures right")
        rows = self.rows("run/quality.csv")
        self.assertEqual([int(r["iteration"]) for r in rows], [7, 14, 21])
        self.assertTrue(all(float(r["frechet"]) > 0 and 0 < float(r["confidence"]) <= 1 for r in rows))
        self.assertTrue((self.dir / "run/best.safetensors").exists())
        self.succeeds("train", "--data", self.data, "--out", self.dir / "other", *options, "--epochs", 3, "--evaluate-every", 1,
                      "--classifier", self.dir / "run/classifier.safetensors")
        self.assertEqual(self.rows("other/quality.csv"), rows)
        self.fails("is not a", "train", "--data", self.data, "--out", self.dir / "bad", *options, "--classifier", self.data / "train-labels-idx1-ubyte")

    def test_collapse(self):
        # A G that cannot learn makes one kind of picture for ever.
        dead = ("--latent", 1, "--g-hidden", 2, "--plain", "--learning-rate", 1e-12, "--check-every", 50, "--checkpoint-every", 100)
        result = self.train("warn", 750, *dead)
        self.assertEqual(len([line for line in result.stderr.splitlines() if line.startswith("warning: collapse at iteration 650")]), 1)
        self.assertEqual(len(self.rows("warn/log.csv")), 750)
        self.assertEqual([r["healthy"] for r in self.rows("warn/monitor.csv")], ["0"] * 4)
        result = self.train("stop", 750, *dead, "--on-collapse", "stop", code=3)
        self.assertRegex(result.stderr, "stopped by a collapse after iteration 650")
        self.assertTrue((self.dir / "stop/samples.png").exists())
        result = self.train("back", 750, *dead, "--on-collapse", "rollback", code=3)
        self.assertEqual(len([line for line in result.stderr.splitlines() if line.startswith("rolled back to iteration 500")]), 3)
        self.assertRegex(result.stderr, "learning rate x 0.125")
        self.assertRegex(result.stderr, "3 rollbacks did not help")
        self.assertEqual([int(r["iteration"]) for r in self.rows("back/log.csv")], list(range(1, 651)))

    def test_collapse_of_a_resumed_run(self):
        dead = ("--latent", 1, "--g-hidden", 2, "--plain", "--learning-rate", 1e-12, "--check-every", 50, "--checkpoint-every", 100)
        # The healthy checkpoint of a run that was begun without --on-collapse rollback is where it goes on.
        self.train("warn", 590, *dead)
        result = self.train("warn", 750, *dead, "--resume", "--on-collapse", "rollback", code=3)
        self.assertEqual(len([line for line in result.stderr.splitlines() if line.startswith("rolled back to iteration 590")]), 3)
        # One that rollback has left behind is not, where other sessions have gone on from it.
        self.train("old", 100, *dead, "--on-collapse", "rollback")
        self.train("old", 590, *dead, "--resume")
        result = self.train("old", 750, *dead, "--resume", "--on-collapse", "rollback", code=3)
        self.assertEqual(len([line for line in result.stderr.splitlines() if line.startswith("rolled back to iteration 590")]), 3)
        # What was stopped by a collapse is stopped, or rolled back, again.
        self.train("stop", 900, *dead, "--on-collapse", "stop", code=3)
        result = self.train("stop", 900, *dead, "--on-collapse", "stop", "--resume", code=3)
        self.assertRegex(result.stderr, "stopped by a collapse after iteration 750")
        result = self.train("stop", 900, *dead, "--on-collapse", "rollback", "--resume", code=3)
        self.assertRegex(result.stderr, "3 rollbacks did not help")

    def test_another_grid_when_resumed(self):
        self.train("run", 10, "--sample-every", 5, "--grid", "3x2")
        self.train("run", 20, "--sample-every", 5, "--grid", "2x2", "--resume")
        self.assertEqual(self.picture("run/samples.png").shape, (32, 32))
        sheet = self.picture("run/sheet.png")  # of the new grids alone
        self.assertTrue((self.picture("run/grids/0000020.png") == sheet[-20:-4, -20:-4]).all(), sheet.shape)

    def test_not_a_number(self):
        result = self.run_program("train", *self.train_options("nan", 400, "--learning-rate", 1e30, "--loss", "lsgan", "--checkpoint-every", 1))
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr.splitlines()[-1], r"mnist_gan: \[run\] .*; try a lower --learning-rate; the last good state is in .*checkpoint")
        sample = self.succeeds("sample", "--model", self.dir / "nan/checkpoint.safetensors", "--out", self.dir / "s.safetensors")
        self.assertRegex(sample.stderr, "64 samples")
        data = (self.dir / "s.safetensors").read_bytes()
        values = np.frombuffer(data[8 + int.from_bytes(data[:8], "little"):], np.float32)
        self.assertTrue(np.isfinite(values).all())


class ResumeTest(ResumeCases, Case):
    LONG = ("--checkpoint-every", 7, "--sample-every", 10, "--dropout", 0.2, "--conditional", "--check-every", 50)

    def train_command(self, out, iterations, *options):
        return self.command("train", *self.train_options(out, iterations, *options))

    def test_interrupted_run_has_its_pictures(self):
        process = subprocess.Popen(self.train_command("cut", 3000, *self.LONG), stderr=subprocess.DEVNULL)
        while not (self.dir / "cut/log.csv").exists() or (self.dir / "cut/log.csv").stat().st_size < 2000:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(), 130)
        self.assertTrue((self.dir / "cut/samples.png").exists())

    def test_other_settings_and_files(self):
        self.train("run", 5)
        for options, said in ((("--latent", 7), r"--latent 7 \(was 6\)"), (("--plain",), r"--plain yes \(was no\)"),
                              (("--seed", 3), r"--seed 3 \(was 0\)"), (("--loss", "hinge"), r"--loss hinge \(was nonsaturating\)")):
            self.fails(f"made with other settings: {said}", "train", *self.train_options("run", 9, "--resume", *options))
        pictures, labels = bars(60)
        (self.data / "train-labels-idx1-ubyte").write_bytes(idx((labels + 1) % 4))
        self.fails("other settings: --data", "train", *self.train_options("run", 9, "--resume"))
        (self.data / "train-labels-idx1-ubyte").write_bytes(idx(labels))
        checkpoint = self.dir / "run/checkpoint.safetensors"
        good = checkpoint.read_bytes()
        for bad in (good[:1000], good[:-1], b"", b"x" * 100, good.replace(b"mnist_gan", b"dog_breed")):
            checkpoint.write_bytes(bad)
            self.fails("checkpoint", "train", *self.train_options("run", 9, "--resume"))
            self.assertEqual(checkpoint.read_bytes(), bad, "what cannot be read is left alone")
        shutil.copy(self.dir / "run/model.safetensors", checkpoint)
        self.fails("is a run of format 1, and this lilypad goes on with format 2", "train", *self.train_options("run", 9, "--resume"))
        checkpoint.write_bytes(good)
        # What does not change the training may change: where the data are, and what is done on the way.
        moved = self.data.rename(self.dir / "moved")
        self.train("run", 9, "--resume", "--data", moved, "--checkpoint-every", 3, "--sample-every", 2, "--check-every", 9, "--on-collapse", "stop")
        moved.rename(self.data)


class SampleTest(Case):
    def setUp(self):
        super().setUp()
        self.train("run", 10, "--quiet")
        self.train("conditional", 10, "--conditional", "--quiet")
        self.model = self.dir / "run/model.safetensors"
        self.conditional = self.dir / "conditional/model.safetensors"

    def sample(self, name, *options, model=None):
        self.succeeds("sample", "--model", model or self.model, "--out", self.dir / name, *options)
        return self.picture(name) if name.endswith("png") else None

    def test_sample(self):
        grid = self.sample("a.png", "--grid", "5x3")
        self.assertEqual(grid.shape, (24, 40))
        self.assertTrue((self.sample("b.png", "--grid", "5x3", "--zoom", 2)[1::2, ::2] == grid).all())
        self.assertFalse((self.sample("c.png", "--grid", "5x3", "--seed", 1) == grid).all())
        self.assertEqual(self.sample("d.png", "--count", 9).shape, (16, 64))
        self.assertEqual(self.sample("e.png").shape, (64, 64))
        from_checkpoint = self.sample("f.png", "--grid", "5x3", model=self.dir / "run/checkpoint.safetensors")
        self.assertTrue((from_checkpoint == grid).all())
        simt = self.run_program("sample", "--model", self.model, "--out", self.dir / "g.png", "--grid", "5x3", "--device", "simt", "--quiet")
        if simt.returncode == 0:
            self.assertLessEqual(np.abs(self.picture("g.png").astype(int) - grid).max(), 1)

    def test_a_checkpoint_of_before_is_named(self):
        old = self.dir / "old.safetensors"
        data = (self.dir / "run/checkpoint.safetensors").read_bytes()
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8:8 + size])
        del header["__metadata__"]["run_format"]
        text = json.dumps(header).encode()
        old.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size:])
        self.fails("old.safetensors' is a run of format 1, and this lilypad goes on with format 2", "sample", "--model", old, "--out", self.dir / "x.png")

    def test_digit(self):
        kinds = [self.sample(f"{digit}.png", "--grid", "4x1", "--digit", digit, model=self.conditional) for digit in range(4)]
        for i in range(4):
            for j in range(i):
                self.assertFalse((kinds[i] == kinds[j]).all())
        self.assertTrue((self.sample("all.png", "--grid", "4x1", model=self.conditional)[:, :8] == kinds[0][:, :8]).all())
        self.fails("--digit 4 is not one of the model's classes, 0 to 3", "sample", "--model", self.conditional, "--out", self.dir / "x.png", "--digit", 4)
        self.fails("--digit needs a model that was trained with --conditional", "sample", "--model", self.model, "--out", self.dir / "x.png", "--digit", 1)

    def test_walk(self):
        self.succeeds("walk", "--model", self.model, "--out", self.dir / "w.gif", "--stops", 3, "--frames", 4, "--grid", "2x3", "--zoom", 2, "--delay", 9)
        with Image.open(self.dir / "w.gif") as gif:
            self.assertEqual((gif.n_frames, gif.size, gif.info["duration"], gif.info["loop"]), (12, (32, 48), 90, 0))
            frames = []
            for i in range(12):
                gif.seek(i)
                frames.append(np.asarray(gif.convert("L")).astype(int))
        steps = [np.abs(a - b).mean() for a, b in zip(frames, frames[1:] + frames[:1])]
        self.assertLess(max(steps), 5 * np.median(steps) + 1, "a closed path of even steps")
        self.succeeds("walk", "--model", self.conditional, "--out", self.dir / "w.png", "--stops", 2, "--frames", 3, "--grid", "4x2", "--zoom", 1,
                      "--digit", 2)
        self.assertEqual(self.picture("w.png").shape, (16, 48))
        self.succeeds("walk", "--model", self.model, "--out", self.dir / "v.png", "--stops", 3, "--frames", 4, "--grid", "1x1", "--zoom", 2)
        self.assertLessEqual(np.abs(self.picture("v.png")[:, :16].astype(int) - self.picture("v.png")[:, 16:32]).mean(), 60)

    def test_evaluate(self):
        result = self.succeeds("evaluate", "--model", self.conditional, "--data", self.data, "--train-classifier", "--classifier", self.dir / "c.safetensors",
                               "--classifier-epochs", 40, "--count", 50, "--json", self.dir / "q.json", "--neighbours", self.dir / "n.png", "--quiet")
        self.assertRegex(result.stdout, r"Fréchet distance +[0-9.]+ +\([0-9.]+ for as many real pictures\)")
        self.assertRegex(result.stdout, r"class as asked for +[01]\.\d+")
        q = json.loads((self.dir / "q.json").read_text())
        self.assertEqual(q["samples"], 50)
        self.assertAlmostEqual(sum(q["shares"]), 1)
        self.assertGreater(q["frechet"], q["frechet_of_data"])
        self.assertGreater(q["classifier_accuracy"], 0.6)
        self.assertEqual(self.picture("n.png").shape, (8 * 16, 12 * 16))
        # Real pictures, as samples of somebody else: near to the data, copies all of them.
        pictures, _ = bars(60)
        (self.dir / "real.idx").write_bytes(idx(pictures))
        self.succeeds("evaluate", "--samples", self.dir / "real.idx", "--data", self.data, "--classifier", self.dir / "c.safetensors",
                      "--json", self.dir / "r.json", "--quiet")
        r = json.loads((self.dir / "r.json").read_text())
        self.assertLess(r["frechet"], 1e-3 + q["frechet"] / 10)
        self.assertEqual(r["copies"], 1)
        self.sample("s.safetensors", "--count", 50, model=self.conditional)
        self.succeeds("evaluate", "--samples", self.dir / "s.safetensors", "--data", self.data, "--classifier", self.dir / "c.safetensors",
                      "--json", self.dir / "s.json", "--quiet")
        self.assertEqual(json.loads((self.dir / "s.json").read_text())["frechet"], q["frechet"])

    def test_bad_input(self):
        out, evaluate = self.dir / "x.png", ("evaluate", "--data", self.data)
        self.fails("--model is required", "sample", "--out", out, code=2)
        self.fails("'8by8' is not a grid", "sample", "--model", self.model, "--out", out, "--grid", "8by8", code=2)
        self.fails("is not a grid", "sample", "--model", self.model, "--out", out, "--grid", "0x8", code=2)
        self.fails("do not fit into a grid of 2x2", "sample", "--model", self.model, "--out", out, "--grid", "2x2", "--count", 5)
        self.fails("no/such", "sample", "--model", "no/such", "--out", out)
        self.fails("is not a safetensors file", "sample", "--model", self.data / "train-labels-idx1-ubyte", "--out", out)
        self.fails("the folder .* does not exist", "sample", "--model", self.model, "--out", self.dir / "no/x.png")
        self.fails(r"\.txt", "sample", "--model", self.model, "--out", self.dir / "x.txt")
        self.fails("one of them is needed", *evaluate, code=2)
        self.fails("one of them is needed", *evaluate, "--model", self.model, "--samples", out, code=2)
        self.fails("name a classifier with --classifier", *evaluate, "--model", self.model)
        self.fails("not a checkpoint|not a safetensors|header", *evaluate, "--model", self.model, "--classifier", self.data / "train-labels-idx1-ubyte")
        self.fails("another program", *evaluate, "--model", self.model, "--classifier", self.model)
        (self.dir / "wide.idx").write_bytes(idx(np.zeros((4, 9, 9))))
        self.fails(r"holds \(4,9,9\), expected pictures \(N,64\)", *evaluate, "--samples", self.dir / "wide.idx", "--train-classifier")
        self.fails("has no tensor 'samples'", *evaluate, "--samples", self.model, "--train-classifier")
        result = subprocess.run([PROGRAM], capture_output=True, text=True)
        self.assertEqual(result.returncode, 2)
        self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_bad_training_input(self):
        options = ("--out", self.dir / "bad", *SMALL)
        self.fails("there is no folder", "train", "--data", self.dir / "none", *options)
        (self.dir / "empty").mkdir()
        self.fails("neither IDX files", "train", "--data", self.dir / "empty", *options)
        images = self.data / "train-images-idx3-ubyte.gz"
        good = images.read_bytes()
        for bad, said in ((good[:-20], "cut short"), (good + b"!", "after its gzip data"), (gzip.compress(idx(np.zeros((60, 64)))), "expected 3"),
                          (gzip.compress(idx(bars(61)[0])), "60 labels"), (b"\0\0\x08\x03" + b"\xff" * 12, "cannot hold"), (b"hello", "not an IDX")):
            images.write_bytes(bad)
            self.fails(said, "train", "--data", self.data, *options)
        images.write_bytes(good)
        (self.data / "train-labels-idx1-ubyte").unlink()
        self.fails("--conditional needs labels", "train", "--data", self.data, *options, "--conditional")
        self.fails("fewer than a batch of 500", "train", "--data", self.data, *options, "--batch-size", 500)
        for bad in (("--dropout", 1), ("--learning-rate", 0), ("--epochs", 0), ("--loss", "l3"), ("--on-collapse", "cry"), ("--seed", -1),
                    ("--device", "abacus"), ("--batch-size", 1), ("--g-hidden", "3,0"), ("--grid", "9"), ("--gp-weight", "nan"),
                    ("--label-smoothing", "nan"), ("--d-learning-rate", "nan"), ("--learning-rate", "inf"), ("--latent", 2000000),
                    ("--g-hidden", 1 << 21), ("--epochs", 1400000000000000000), ("--evaluate-every", 4611686018427387904),
                    ("--seed", 1 << 70), ("--epochs", "010"), ("--batch-size", "0x10"), ("--latent", "8.0")):
            self.fails("see mnist_gan --help", "train", "--data", self.data, *options, *bad, code=2)
        self.assertFalse((self.dir / "bad").exists(), "nothing was begun")
        file = self.dir / "file"
        file.write_text("")
        self.fails("cannot make the folder", "train", "--data", self.data, "--out", file, *SMALL)

    def test_results_that_cannot_be_printed(self):
        command = [PROGRAM, "evaluate", "--model", self.conditional, "--data", self.data, "--train-classifier", "--threads", "1"]
        with open("/dev/full", "w") as full:
            result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)
        self.assertEqual((result.returncode, result.stderr.splitlines()[-1]), (1, "mnist_gan: cannot write to stdout: No space left on device"))

    def test_help(self):
        self.assertIn("Examples:", subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout)
        for name in ("train", "sample", "walk", "evaluate"):
            self.assertIn("--device", self.succeeds(name, "--help").stdout)


if __name__ == "__main__":
    unittest.main()
