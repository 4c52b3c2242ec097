# SPDX-License-Identifier: MIT
"""What mnist_gan refuses before the work, and what it keeps when something fails."""

import resource
import shutil
import unittest

import numpy as np
from common import limits_addresses
from PIL import Image
from test_mnist_gan import Case


class TrainFailuresTest(Case):
    def test_a_failed_last_write_goes_elsewhere(self):
        self.train("whole", 6, "--sample-every", 3)
        run = self.dir / "run"
        (run / "grids").mkdir(parents=True)
        names = ("checkpoint.safetensors", "model.safetensors", "samples.png", "sheet.png", "losses.svg")
        for name in names[1:]:
            (run / name).symlink_to("/dev/full")
        self.train("run", 6, "--sample-every", 3, code=1)
        for name in names[1:]:
            self.assertEqual((self.dir / name).read_bytes(), (self.dir / "whole" / name).read_bytes(), name)
        self.assertEqual((run / names[0]).read_bytes(), (self.dir / "whole" / names[0]).read_bytes())
        # On the way: what was done is kept, in another place if need be.
        (self.dir / "other/grids").mkdir(parents=True)
        (self.dir / "other/grids/0000003.png").symlink_to("/dev/full")
        self.fails("grids/0000003.png': No space left on device; the checkpoint is .*/other/checkpoint.safetensors", "train",
                   *self.train_options("other", 6, "--sample-every", 3))
        (self.dir / "other/grids/0000003.png").unlink()
        self.train("other", 6, "--sample-every", 3, "--resume")
        self.assertEqual((self.dir / "other/model.safetensors").read_bytes(), (self.dir / "whole/model.safetensors").read_bytes())
        for name in names:
            (self.dir / "bad" / name).mkdir(parents=True)
            self.fails(f"{name}': Is a directory|holds a run already", "train", *self.train_options("bad"))
            shutil.rmtree(self.dir / "bad")

    def test_a_classifier_that_cannot_be_saved_goes_elsewhere(self):
        (self.dir / "c.safetensors").symlink_to("/dev/full")
        evaluate = ("evaluate", "--data", self.data, "--classifier", self.dir / "c.safetensors", "--train-classifier", "--json", self.dir / "q.json")
        self.train("run", 3, "--quiet")
        self.fails("c.safetensors': No space left on device; it is in '[^']*c-2.safetensors'", *evaluate, "--model", self.dir / "run/model.safetensors",
                   "--count", 20)
        self.assertTrue((self.dir / "q.json").exists(), "the measures are not lost")
        self.succeeds("evaluate", "--data", self.data, "--classifier", self.dir / "c-2.safetensors", "--model", self.dir / "run/model.safetensors", "--count", 20)

    def test_sizes_that_no_file_can_have(self):
        self.fails("a picture of 64x64 samples, each 8x8|too large|too many", "train", *self.train_options("big", 6), "--grid", "64x64", "--image-size", 512,
                   "--data", self.pictures(512))
        self.assertFalse((self.dir / "big").exists())

    def pictures(self, side):
        folder = self.dir / "pictures"
        folder.mkdir()
        for i in range(8):
            Image.fromarray(np.full((side, side), 30 * i, np.uint8)).save(folder / f"{i}.png")
        return folder

    @limits_addresses
    def test_little_memory(self):
        self.fails("the training needs about [0-9]+ MB, ulimit -v allows 90; choose fewer or smaller layers .*, or raise that limit", "train", *self.train_options(),
                   limit=(resource.RLIMIT_AS, 90_000_000))
        self.fails("the training needs about [0-9]+ MB, .*; choose fewer or smaller layers", "train", *self.train_options(), "--g-hidden", "1000000,1000000")
        self.assertFalse((self.dir / "run").exists())
        self.train("run", 2, "--quiet")
        model = self.dir / "run/model.safetensors"
        self.fails("making 1000000 pictures needs about [0-9]+ MB, ulimit -v allows 300; make fewer at a time", "sample", "--model", model, "--count", 1000000,
                   "--out", self.dir / "s.safetensors", limit=(resource.RLIMIT_AS, 300_000_000))


class SampleFailuresTest(Case):
    def setUp(self):
        super().setUp()
        self.train("run", 10, "--quiet")
        self.model = self.dir / "run/model.safetensors"

    def test_what_is_too_large_is_refused_before_the_work(self):
        walk, sample = ("walk", "--model", self.model), ("sample", "--model", self.model)
        self.fails("a JPEG has at most 65535 pixels a side, this is 80000 x 8", *walk, "--stops", 100, "--frames", 100, "--grid", "1x1", "--zoom", 1, "--out", self.dir / "w.jpg")
        self.fails("a picture of 100000x1 samples, .* is too large", *walk, "--stops", 100, "--frames", 1000, "--grid", "1x1", "--zoom", 32, "--out", self.dir / "w.png")
        self.fails("is too large", *sample, "--count", 1000000, "--zoom", 32, "--out", self.dir / "s.png")

    def test_numbers(self):
        train = ("train", "--data", self.data, "--out", self.dir / "bad")
        sample, walk = ("sample", "--model", self.model, "--out", self.dir / "x.png"), ("walk", "--model", self.model, "--out", self.dir / "x.gif")
        evaluate = ("evaluate", "--model", self.model, "--data", self.data)
        endless = [(train, option, 1) for option in ("--iterations", "--d-steps", "--sample-every", "--checkpoint-every", "--check-every")]
        for command, option, least in endless + [(c, "--seed", 0) for c in (train, sample, walk, evaluate)]:
            self.fails(f"^mnist_gan: {option}: expected at least {least}, got {least - 1}; see mnist_gan --help$", *command, option, least - 1, code=2)
            for text in ("many", "nan", "1.5", "010", ""):
                self.fails(f"{option}: expected a whole number, at least {least}, got '?{text}'?;", *command, option, text, code=2)
            self.fails(f"{option}: expected at most [0-9]+, got 99999999999999999999;", *command, option, 99999999999999999999, code=2)
        threads = [(c, "--threads", 1, 1024) for c in (train, sample, walk, evaluate)]
        ranges = [(train, "--latent", 1, 1 << 20), (train, "--g-hidden", 1, 1 << 20), (train, "--d-hidden", 1, 1 << 20), (train, "--epochs", 1, 10**9),
                  (train, "--evaluate-every", 0, 10**9), (train, "--batch-size", 2, 1 << 16), (train, "--image-size", 4, 512), (evaluate, "--image-size", 4, 512),
                  (sample, "--count", 1, 10**6), (sample, "--digit", 0, 255), (sample, "--zoom", 1, 32), (walk, "--digit", 0, 255), (walk, "--zoom", 1, 32),
                  (walk, "--stops", 2, 1000), (walk, "--frames", 1, 1000), (walk, "--delay", 2, 65535), (evaluate, "--classifier-epochs", 1, 1000),
                  (evaluate, "--count", 4, 10**6)]
        for command, option, least, most in ranges + threads:
            for given in (least - 1, most + 1, -99999999999999999999, 99999999999999999999):
                self.fails(f"{option}: expected {least} to {most}, got {given};", *command, option, given, code=2)
            for text in ("nan", "3.0", "0x10"):
                self.fails(f"{option}: expected a whole number, {least} to {most}, got {text};", *command, option, text, code=2)
        for option, expected, given in (("--learning-rate", "more than 0", 0), ("--d-learning-rate", "more than 0", -1), ("--gp-weight", "at least 0", -1),
                                        ("--clip-grad", "at least 0", -0.5), *((o, "0 to 0.999999999", 1) for o in ("--dropout", "--beta1", "--beta2", "--ema", "--label-smoothing"))):
            self.fails(f"{option}: expected {expected}, got {given};", *train, option, given, code=2)
            for text in ("nan", "-inf", "1e999", "x"):
                self.fails(f"{option}: expected a finite number, {expected}, got {text};", *train, option, text, code=2)
        for command in (train, sample, walk):
            for text in ("0x1", "65x1", "3", "axb", "1x1x1", "-1x2", "99999999999x1"):
                self.fails(f"'{text}' is not a grid like 8x8, of 1 to 64 a side", *command, "--grid", text, code=2)


if __name__ == "__main__":
    unittest.main()
