# SPDX-License-Identifier: MIT
"""The figures of stylegan: each of their pictures is what generate makes, or follows from it."""

import json
import struct
import tempfile
import unittest
from pathlib import Path

import numpy as np
import test_stylegan
from common import heed_signals
from PIL import Image
from test_stylegan import idx, run_program

heed_signals()


def change_weights(path, change):
    """Rewrites tensors of a safetensors file: change(name, array) -> array or None."""
    data = bytearray(path.read_bytes())
    header_size = struct.unpack("<Q", data[:8])[0]
    for name, tensor in json.loads(data[8:8 + header_size]).items():
        if name == "__metadata__" or tensor["dtype"] != "F32":
            continue
        begin, end = (8 + header_size + offset for offset in tensor["data_offsets"])
        changed = change(name, np.frombuffer(data[begin:end], "<f4").reshape(tensor["shape"]))
        if changed is not None:
            data[begin:end] = changed.astype("<f4").tobytes()
    path.write_bytes(data)


class StyleGanFiguresTest(unittest.TestCase):
    SIDE, GAP, WIDE = 16, 2, 8  # WIDE is added to a gap

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.dir = Path(cls.folder.name)
        (cls.dir / "data").mkdir()
        rng = np.random.default_rng(3)
        (cls.dir / "data/train-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 255, (60, 14, 14))))
        (cls.dir / "data/train-labels-idx1-ubyte").write_bytes(idx(np.arange(60) % 3))
        run_program("train", "--data", cls.dir / "data", "--out", cls.dir / "run", "--iterations", 14, "--evaluate-every", 0,
                    *test_stylegan.StyleGanTest.TINY)
        cls.model = cls.dir / "run/model.safetensors"
        # Layers that begin without noise have learned too little of it to be seen.
        change_weights(cls.model, lambda name, x: x + 0.3 if name.endswith("noise_weight") else None)

    def run_it(self, command, out, *options):
        run_program(command, "--model", self.model, "--out", self.dir / out, "--threads", 1, *options)
        return self.dir / out

    def figure(self, command, *options):
        with Image.open(self.run_it(command, "figure.png", "--zoom", 1, *options)) as image:
            return np.asarray(image).astype(int)

    def cell(self, figure, row, column, wide_rows=(), wide_columns=()):
        y, x = (self.GAP + i * (self.SIDE + self.GAP) + self.WIDE * sum(i >= w for w in wide)
                for i, wide in ((row, wide_rows), (column, wide_columns)))
        return figure[y:y + self.SIDE, x:x + self.SIDE]

    def generated(self, seeds, *options):
        folder = self.run_it("generate", "pictures", "--seeds", ",".join(map(str, seeds)), *options)
        pictures = []
        for seed in seeds:
            with Image.open(folder / f"seed{seed:04}.png") as image:
                pictures.append(np.asarray(image).astype(int))
        return pictures

    def same(self, a, b):
        self.assertTrue(np.array_equal(a, b), np.abs(a - b).max())

    def test_mix(self):
        wide = ((1, 3, 5), (1,))
        figure = self.figure("mix", "--rows", "3,7", "--cols", "7-9", "--psi", 1)
        self.assertEqual(figure.shape, (7 * 18 + 2 + 3 * 8, 4 * 18 + 2 + 8))
        self.assertTrue((self.cell(figure, 0, 0, *wide) == 255).all())
        sources = self.generated([3, 7, 8, 9], "--psi", 1, "--noise", "const")
        for column in range(3):
            self.same(self.cell(figure, 0, 1 + column, *wide), sources[1 + column])
        for row in range(1, 7):
            self.same(self.cell(figure, row, 0, *wide), sources[(row - 1) % 2])
            # A picture with a part of its own styles.
            if row % 2 == 0:
                self.same(self.cell(figure, row, 1, *wide), sources[1])
        mixed = [self.cell(figure, row, 2, *wide) for row in (1, 3, 5)]  # of 3 and 8
        for i, picture in enumerate(mixed):
            for other in (sources[0], sources[2], *mixed[:i]):
                self.assertFalse(np.array_equal(picture, other))

    def test_mix_takes_the_layers_that_it_says(self):
        # With psi 0 in the first n layers these hold the same style in all pictures: of 16x16 pictures n = 2 are
        # coarse, 4 coarse and middle.
        rows, columns = [3, 4], [5, 6]
        for cutoff, without in ((2, ("coarse",)), (4, ("coarse", "middle"))):
            options = ("--psi", 0, "--cutoff", cutoff)
            sources = self.generated(rows + columns, *options, "--noise", "const")
            for styles in ("coarse", "middle", "fine"):
                figure = self.figure("mix", "--rows", "3,4", "--cols", "5,6", "--styles", styles, *options)
                for i in range(2):
                    for k in range(2):
                        cell = self.cell(figure, 1 + i, 1 + k, (1,), (1,))
                        self.assertEqual(np.array_equal(cell, sources[i]), styles in without, (cutoff, styles))
                        # Only fine styles differ: they come from the column.
                        if cutoff == 4 and styles == "fine":
                            self.same(cell, sources[2 + k])

    def test_truncation(self):
        figure = self.figure("truncation", "--seeds", "5,2", "--psi", "-1,0,0.7,1", "--cutoff", 18)
        self.assertEqual(figure.shape, (2 * 18 + 2, 4 * 18 + 2))
        for column, psi in enumerate((-1, 0, 0.7, 1)):
            pictures = self.generated([5, 2], "--psi", psi, "--cutoff", 18, "--noise", "const")
            for row in range(2):
                self.same(self.cell(figure, row, column), pictures[row])
        self.same(self.cell(figure, 0, 1), self.cell(figure, 1, 1))
        self.assertEqual(self.figure("truncation").shape, (5 * 18 + 2, 6 * 18 + 2))

    def test_noise(self):
        draws = 34  # more than are made at a time
        figure = self.figure("noise", "--seeds", "5,2", "--draws", draws, "--shown", draws, "--psi", 1)
        pictures = self.generated([5, 2], "--psi", 1)
        wide = ((), (draws,))
        deviations = []
        for row in range(2):
            shown = np.array([self.cell(figure, row, i, *wide) for i in range(draws)])
            self.same(shown[0], pictures[row])
            self.assertEqual(len(np.unique(shown, axis=0)), draws)
            deviations.append(shown.std(axis=0))
        most = np.max(deviations)
        self.assertGreater(most, 5)
        for row in range(2):
            map_ = self.cell(figure, row, draws, *wide)
            self.assertLess(np.abs(map_ - 255 * deviations[row] / most).max(), 12)  # pictures are rounded to grey levels
            self.assertGreater(map_.max(), 60)
        # Of few draws the same pictures, and a map of those.
        few = self.figure("noise", "--seeds", "5", "--draws", 3, "--shown", 2, "--psi", 1)
        self.assertEqual(few.shape, (18 + 2, 3 * 18 + 2 + 8))
        self.same(few[:, :36], figure[:20, :36])

    def test_walk(self):
        # Two walks of three stops: seeds 1 5 9 and 2 6 10, each beginning with its stop as generate makes it.
        options = ("--seeds", "1,2,5,6,9,10", "--grid", "2x1", "--frames", 4, "--zoom", 1, "--psi", 1)
        path = self.run_it("walk", "w.gif", *options, "--delay", 9)
        with Image.open(path) as gif:
            self.assertEqual((gif.n_frames, gif.size, gif.info["duration"], gif.info["loop"]), (12, (32, 16), 90, 0))
            frames = []
            for i in range(12):
                gif.seek(i)
                frames.append(np.asarray(gif.convert("L")).astype(int))
        stops = self.generated([1, 2, 5, 6, 9, 10], "--psi", 1, "--noise", "const")
        for i, stop in enumerate(stops):
            self.same(frames[i // 2 * 4][:, i % 2 * 16:][:, :16], stop)
        steps = [np.abs(a - b).mean() for a, b in zip(frames, frames[1:] + frames[:1], strict=True)]
        self.assertLess(max(steps), 5 * np.median(steps) + 1, "a closed path of even steps")
        # The same frames one by one.
        folder = self.run_it("walk", "frames", *options)
        self.assertEqual(sorted(path.name for path in folder.iterdir()), [f"frame{i:04}.png" for i in range(12)])
        for i, frame in enumerate(frames):
            with Image.open(folder / f"frame{i:04}.png") as image:
                self.same(np.asarray(image).astype(int), frame)

    def test_walk_in_colour(self):
        (self.dir / "photos").mkdir()
        for i in range(8):
            Image.new("RGB", (16, 16), (30 * i, 0, 255 - 20 * i)).save(self.dir / f"photos/{i}.png")
        run_program("train", "--data", self.dir / "photos", "--out", self.dir / "colour", "--iterations", 14,
                    *test_stylegan.StyleGanTest.TINY)
        options = ("walk", "--model", self.dir / "colour/model.safetensors", "--seeds", "0-3", "--grid", "1x1", "--frames", 6, "--psi", 1)
        run_program(*options, "--out", self.dir / "colour.gif")
        run_program(*options, "--out", self.dir / "colour_frames")
        with Image.open(self.dir / "colour.gif") as gif:
            self.assertEqual((gif.n_frames, gif.size), (24, (96, 96)))
            for i in range(24):
                gif.seek(i)
                with Image.open(self.dir / f"colour_frames/frame{i:04}.png") as image:
                    self.assertEqual(image.mode, "RGB")
                    exact = np.asarray(image).astype(int)
                # Nearer than the 216 colours that are the same for every picture.
                uniform = np.round(exact / 51) * 51 - exact
                self.assertLess(np.square(gif.convert("RGB") - exact).mean(), np.square(uniform).mean())

    def test_evaluate(self):
        def evaluate(name, *options):
            result = run_program("evaluate", "--model", self.model, "--data", self.dir / "data", "--classifier", self.dir / "c.safetensors",
                                 "--count", 60, "--json", self.dir / name, *options)
            return json.loads((self.dir / name).read_text()), result.stdout

        first, shown = evaluate("a.json", "--threads", 1, "--neighbours", self.dir / "n.png")
        self.assertRegex(shown, r"Fréchet distance +[0-9.]+ +\(0.00 for as many real pictures\)")
        self.assertRegex(shown, r"precision, recall +[0-9.]+ [0-9.]+")
        self.assertEqual((first["samples"], len(first["shares"])), (60, 3))
        self.assertTrue(0 <= first["frechet_of_data"] <= 1e-5, first)  # all of the data against themselves
        self.assertGreater(first["frechet"], first["frechet_of_data"])
        for share in ("precision", "recall", "copies"):
            self.assertTrue(0 <= first[share] <= 1)
        with Image.open(self.dir / "n.png") as image:
            self.assertEqual(image.size, (12 * 14 * 6, 8 * 14 * 6))  # without the border, 4 pairs of rows
        self.assertEqual(first, evaluate("b.json", "--threads", 2)[0])
        # Of the mean picture alone there is no variety.
        mean = evaluate("c.json", "--psi", 0, "--cutoff", 18, "--noise", "none")[0]
        self.assertLessEqual(mean["recall"], first["recall"])
        self.assertGreater(mean["frechet"], first["frechet"])
        self.assertEqual(sorted(mean["shares"]), [0, 0, 1])

    def test_figures_are_large_enough_to_be_seen(self):
        with Image.open(self.run_it("truncation", "f.jpg", "--seeds", "1", "--psi", "1")) as image:
            self.assertEqual((image.size, image.format), ((100, 100), "JPEG"))

    def test_what_is_refused(self):
        def fails(message, command, *options, out="no.png"):
            result = run_program(command, "--model", self.model, "--out", self.dir / out, *options, code=None)
            self.assertRegex(result.stderr.splitlines()[-1], "^stylegan: .*" + message)
            self.assertFalse((self.dir / out).exists())

        fails("--rows 'x' is not a list", "mix", "--rows", "x")
        fails("--cols '3-1': expected", "mix", "--cols", "3-1")
        fails("--shown 5 is more than the 3 of --draws", "noise", "--draws", 3)
        fails("--psi: expected -5 to 5, got 6", "truncation", "--psi", "1,6")
        fails("expected 2 or more for each of the 8 walks of --grid, all as many, got 9", "walk", "--seeds", "0-8", out="no.gif")
        fails("expected 2 or more", "walk", "--seeds", "0", "--grid", "1x1", out="no.gif")
        fails("pixels are too many", "truncation", "--seeds", "0-99999", "--zoom", 32)
        fails("png", "mix", out="no.bmp")


if __name__ == "__main__":
    unittest.main()
