# SPDX-License-Identifier: MIT
"""clip tokens, embed, zeroshot and search, on a model that is trained here on four colours."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")) / "clip"
VOCABULARY = ROOT / "weights/bpe_simple_vocab_16e6.txt.gz"
COLOURS = {"red": (220, 30, 30), "green": (20, 200, 40), "blue": (30, 40, 220), "white": (250, 250, 250)}


def run(*command, code=0):
    done = subprocess.run([str(part) for part in (PROGRAM, *command)], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == code, f"{command}: {done.returncode} {done.stderr}"
    return done


def picture(path, colour, seed=0):
    noise = np.random.default_rng(seed).integers(-20, 20, (8, 8, 3))
    Image.fromarray(np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)).save(path)


@unittest.skipUnless(VOCABULARY.exists(), "weights/bpe_simple_vocab_16e6.txt.gz is not there: run tools/convert_clip.py")
class ClipTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.made = Path(holder.name)
        (cls.made / "data").mkdir()
        for i in range(48):
            colour = list(COLOURS)[i % 4]
            picture(cls.made / "data" / f"{i}.png", colour, i)
            (cls.made / "data" / f"{i}.txt").write_text(f"a {colour} picture\n")
        cls.model = cls.train("run", 0)

    @classmethod
    def train(cls, out, seed):
        run("train", "--data", cls.made / "data", "--out", cls.made / out, "--iterations", 60, "--image-size", 8, "--patch-size", 4, "--width", 16,
            "--layers", 1, "--heads", 2, "--embed-dim", 8, "--context-length", 12, "--batch-size", 12, "--piece", 0, "--warm-up", 5,
            "--learning-rate", 0.01, "--seed", seed, "--threads", 1, "--quiet", "--device", "cpu")
        return cls.made / out / "model.safetensors"

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = Path(holder.name)
        for i, colour in enumerate(COLOURS):
            picture(self.dir / f"{colour}.png", colour, 100 + i)

    def one_line_error(self, *command, words, code=1):
        done = run(*command, code=code)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertIn(words, done.stderr)

    def test_tokens(self):
        self.assertEqual(run("tokens", "a photo of a cat", "Hello, World! It's 2024").stdout,
                         "49406 320 1125 539 320 2368 49407\n49406 3306 267 1002 256 585 568 273 271 273 275 49407\n")
        (self.dir / "texts").write_text("a dog\n\n" + "cat " * 90 + "\n")
        lines = run("tokens", "--file", self.dir / "texts").stdout.splitlines()
        self.assertEqual(lines[:2], ["49406 320 1929 49407", "49406 49407"])
        self.assertEqual([len(lines), len(lines[2].split()), lines[2].split()[-1]], [3, 77, "49407"])
        self.assertEqual(run("tokens", "--context-length", 4, "a cat cat cat").stdout, "49406 320 2368 49407\n")
        self.one_line_error("tokens", words="TEXT or --file", code=2)
        self.one_line_error("tokens", "a", "--vocabulary", self.dir / "none", words="none")

    def test_zeroshot(self):
        run("zeroshot", "--model", self.model, "--image", self.dir / "red.png", self.dir / "blue.png", "--labels", "red,green,blue", "white",
            "--template", "a {} picture", "--json", self.dir / "out.json", "--quiet")
        found = json.loads((self.dir / "out.json").read_text())
        self.assertEqual([Path(entry["image"]).name for entry in found], ["red.png", "blue.png"])
        for entry, best in zip(found, ("red", "blue")):
            labels = entry["labels"]
            self.assertEqual(labels[0]["label"], best)
            self.assertEqual({label["label"] for label in labels}, set(COLOURS))
            probabilities = np.array([label["probability"] for label in labels])
            self.assertAlmostEqual(probabilities.sum(), 1, places=5)
            self.assertTrue((np.diff(probabilities) <= 0).all())
            # softmax of scale times the cosines, with one scale for all
            scales = np.diff(np.log(probabilities)) / np.diff([label["cosine"] for label in labels])
            np.testing.assert_allclose(scales, scales[0], rtol=1e-2)
            self.assertGreater(scales[0], 5)
        table = run("zeroshot", "--model", self.model, "--image", self.dir, "--labels", "red", "--none-of-these", "--quiet").stdout
        self.assertEqual(table.count("none of these"), 4)
        self.assertEqual(table.count("%"), 8)

    def test_embed(self):
        names = sorted(COLOURS)
        run("embed", "--model", self.model, "--image", self.dir, "--out", self.dir / "all.npy", "--quiet")
        all_of_them = np.load(self.dir / "all.npy")
        self.assertEqual((all_of_them.shape, all_of_them.dtype), ((4, 8), np.float32))
        np.testing.assert_allclose(np.linalg.norm(all_of_them, axis=1), 1, atol=1e-6)
        self.assertEqual([Path(line).stem for line in (self.dir / "all.txt").read_text().splitlines()], names)
        for row, name in zip(all_of_them, names):  # the same bits alone as among others
            run("embed", "--model", self.model, "--image", self.dir / f"{name}.png", "--out", self.dir / "one.npy", "--quiet")
            self.assertEqual(np.load(self.dir / "one.npy").tobytes(), row.tobytes())
        run("embed", "--model", self.model, "--text", *(f"a {name} picture" for name in names), "--out", self.dir / "texts.npy", "--quiet")
        cosine = all_of_them @ np.load(self.dir / "texts.npy").T
        self.assertEqual(cosine.argmax(axis=1).tolist(), [0, 1, 2, 3])

    def search(self, *options, model=None, text="a green picture"):
        return run("search", "--model", model or self.model, "--images", self.dir, "--text", text, "--device", "cpu", *options)

    def test_search(self):
        done = self.search("--top", 2, "--sheet", self.dir.parent / f"{self.dir.name}.png")
        self.addCleanup((self.dir.parent / f"{self.dir.name}.png").unlink)
        self.assertIn("4 pictures, 4 of them new", done.stderr)
        found = [line.split() for line in done.stdout.splitlines()]
        self.assertEqual(len(found), 2)
        self.assertEqual(Path(found[0][1]).name, "green.png")
        self.assertGreater(float(found[0][0]), float(found[1][0]))
        with Image.open(self.dir.parent / f"{self.dir.name}.png") as sheet:
            self.assertGreater(sheet.width, 2 * 160)
        self.assertIn("4 pictures, 0 of them new", self.search().stderr)
        picture(self.dir / "another.png", "green", 9)
        self.assertIn("5 pictures, 1 of them new", self.search().stderr)
        picture(self.dir / "red.png", "green", 10)  # another picture of the same name
        (self.dir / "blue.png").unlink()
        done = self.search("--top", 3)
        self.assertIn("4 pictures, 1 of them new", done.stderr)
        self.assertEqual({Path(line.split()[1]).name for line in done.stdout.splitlines()}, {"green.png", "another.png", "red.png"})
        whole = self.search(text="a white picture").stdout
        index = self.dir / ".clip_index.safetensors"
        index.unlink()
        self.assertEqual(self.search(text="a white picture").stdout, whole)
        index.write_bytes(index.read_bytes()[:-3])
        done = self.search(text="a white picture")
        self.assertIn("cannot be read: it is made anew", done.stderr)
        self.assertEqual(done.stdout, whole)
        done = self.search(model=self.train("other", 1))
        self.assertIn("another model's", done.stderr)
        self.assertIn("4 pictures, 4 of them new", done.stderr)

    def test_pictures_that_cannot_be_read_are_left_out(self):
        (self.dir / "cut.png").write_bytes((self.dir / "red.png").read_bytes()[:60])
        done = self.search("--index", self.dir / "index")
        self.assertIn("cut.png", done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 4)
        self.assertTrue((self.dir / "index").exists())

    def test_errors_are_one_line(self):
        self.one_line_error("zeroshot", "--image", self.dir, "--labels", "a", "--model", self.dir / "none", words="convert one with python tools/convert_clip.py")
        self.one_line_error("zeroshot", "--model", self.model, "--image", self.dir, "--labels", "a", "--template", "no place", "--quiet", words="{}")
        self.one_line_error("embed", "--model", self.model, "--image", self.dir, "--out", "x.txt", words=".npy")
        self.one_line_error("embed", "--model", self.model, "--out", "x.npy", words="pictures or texts", code=2)
        self.one_line_error("search", "--model", self.model, "--images", self.dir / "none", "--text", "x", "--quiet", words="there is no folder")
        (self.dir / "small").write_text("version\na b\n")
        self.one_line_error("zeroshot", "--model", self.model, "--image", self.dir, "--labels", "a", "--quiet", "--vocabulary", self.dir / "small", words="--vocabulary")


if __name__ == "__main__":
    unittest.main()
