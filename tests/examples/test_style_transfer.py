# SPDX-License-Identifier: MIT
"""The program style_transfer as a user meets it: every flag, bad input, interruption, resuming."""

import csv
import errno
import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")).resolve()
PROGRAM = BIN / "style_transfer"
WEIGHTS = ROOT / "weights/vgg19.safetensors"

# Programs inherit what is ignored: a test run in the background (`... &` in a script) ignores Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def wave_picture(height, width, seed):
    """RGB bytes with edges, waves and grain."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    waves = 110 + 60 * np.sin((x * (1 + c) + y * seed) / 9) + 50 * ((x + 2 * y + 13 * seed) // 24 % 2)
    return np.clip(waves + np.random.default_rng(seed).integers(-12, 12, waves.shape), 0, 255).astype(np.uint8)


@unittest.skipUnless(WEIGHTS.exists(), "weights/vgg19.safetensors is not there: run tools/convert_vgg19.py")
class StyleTransferTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.dir = Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)
        Image.fromarray(wave_picture(48, 64, 1)).save(self.dir / "content.png")
        Image.fromarray(wave_picture(40, 56, 2)).save(self.dir / "style.png")

    def command(self, *options, content="content.png", style=("style.png",), output="out.png", iterations=3):
        base = [PROGRAM, "--content", self.dir / content, "--style", *[self.dir / s for s in style], "--output", self.dir / output,
                "--iterations", iterations, "--size", 48, "--weights", WEIGHTS]
        return [str(part) for part in (*base, *options)]

    def run_program(self, *options, cwd=None, limit=None, **kwargs):
        """limit: (resource, bytes) of setrlimit, for the program."""
        before = (lambda: resource.setrlimit(limit[0], (limit[1], resource.getrlimit(limit[0])[1]))) if limit else None
        return subprocess.run(self.command(*options, **kwargs), capture_output=True, text=True, timeout=300, cwd=cwd or self.dir, preexec_fn=before)

    def succeeds(self, *options, **kwargs):
        result = self.run_program(*options, **kwargs)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def fails(self, message, *options, code=None, **kwargs):
        """One line on stderr that matches, a non-zero exit, nothing half-written."""
        before = {p.name: p.lstat().st_mtime_ns for p in self.dir.iterdir()}
        result = self.run_program(*options, **kwargs)
        self.assertNotEqual(result.returncode, 0, "it did not fail")
        self.assertGreater(result.returncode, 0, f"killed by a signal: {result.stderr}")
        lines = [line for line in result.stderr.splitlines() if line.startswith("style_transfer: ")]
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertEqual(lines[0], result.stderr.splitlines()[-1])
        self.assertRegex(lines[0], message)
        self.assertEqual({p.name: p.lstat().st_mtime_ns for p in self.dir.iterdir()}, before, "files were left behind")

    def picture(self, name="out.png"):
        with Image.open(self.dir / name) as image:
            return np.asarray(image)

    def rows(self, name="run.csv"):
        with open(self.dir / name, newline="") as file:
            return list(csv.DictReader(file))

    # What comes out

    def test_result_log_sheet_plot(self):
        result = self.succeeds("--log", self.dir / "run.csv", "--sheet", self.dir / "sheet.png", "--plot", self.dir / "loss.svg", iterations=6)
        self.assertEqual(self.picture().shape, (36, 48, 3))
        self.assertTrue((self.picture() != 0).any())
        rows = self.rows()
        self.assertEqual(list(rows[0]), ["iteration", "seconds", "content", "style", "tv", "total"])
        self.assertEqual([int(r["iteration"]) for r in rows], [1, 2, 3, 4, 5, 6])
        totals = [float(r["total"]) for r in rows]
        self.assertEqual(float(rows[0]["content"]), 0.0, "the first row is the loss of the content picture itself")
        self.assertLess(totals[-1], totals[0])
        for r in rows:
            self.assertAlmostEqual(float(r["total"]), float(r["content"]) + float(r["style"]) + float(r["tv"]), delta=1e-5 * float(r["total"]))
        self.assertEqual(self.picture("sheet.png").shape[0], 36)
        self.assertGreater(self.picture("sheet.png").shape[1], 3 * 48)
        self.assertTrue(xml.etree.ElementTree.parse(self.dir / "loss.svg").getroot().tag.endswith("svg"))
        self.assertRegex(result.stderr, r"picture 48x36.*about \d+ MB of memory")
        self.assertRegex(result.stderr, r"\n4 more iterations, about \d+:\d\d\n")
        self.assertNotIn("\r", result.stderr, "without a terminal there are plain lines")
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["content.png", "loss.svg", "out.png", "run.csv", "sheet.png", "style.png"])

    def test_memory_is_told_of_all_that_takes_it(self):
        def told(*options, iterations=1):
            return int(re.search(r"about (\d+) MB of memory", self.succeeds(*options, iterations=iterations).stderr)[1])

        self.assertGreater(told("--style-size", 400), told() + 20)
        self.assertGreater(told("--optimizer", "lbfgs", "--size", 128, iterations=10), told("--size", 128))

    def test_profile(self):
        result = self.succeeds("--profile", self.dir / "profile.csv", "--log", self.dir / "run.csv", iterations=5)
        self.succeeds("--log", self.dir / "plain.csv", iterations=5)
        strip = lambda name: [{k: v for k, v in r.items() if k != "seconds"} for r in self.rows(name)]  # noqa: E731
        self.assertEqual(strip("run.csv"), strip("plain.csv"), "profiling changes no bits")
        profile = self.rows("profile.csv")
        self.assertEqual(list(profile[0]), ["op", "pass", "shape", "calls", "seconds"])
        calls = {(r["op"], r["pass"], r["shape"]): int(r["calls"]) for r in profile}
        self.assertEqual(len(calls), len(profile), "a row per op, pass and shape")
        self.assertEqual(calls["optimizer", "other", ""], 3, "5 iterations less the first two")
        for direction in ("forward", "backward"):
            self.assertEqual(calls["gram_loss", direction, "1x128x18x24 1x128x128 -> scalar"], 3)
            convolutions = sum(n for (op, way, _), n in calls.items() if op.startswith("conv2d") and way == direction)
            self.assertEqual(convolutions, 13 * 3)
        spent = sum(float(r["seconds"]) for r in profile)
        log = [float(r["seconds"]) for r in self.rows("run.csv")]
        self.assertLess(abs(spent - (log[-1] - log[1])), 0.2 * spent + 0.1, "the rows add up to the iterations")
        self.assertRegex(result.stderr, r"profile of 3 iterations, [0-9.]+ ms each")
        self.assertRegex(result.stderr, r"1 x  3x3, 3 -> 64 at 36x48 +[0-9.]+ ms +[0-9.]+ GFLOP/s +[0-9.]+ ms +[0-9.]+ GFLOP/s")
        self.fails("--iterations 3 or more", "--profile", self.dir / "short.csv", iterations=2)
        self.fails("no/profile.csv", "--profile", self.dir / "no/profile.csv")

    def test_same_seed_same_bits(self):
        for output, threads in (("a.png", 1), ("b.png", 2), ("c.png", 2)):
            self.succeeds("--init", "noise", "--seed", 7, "--threads", threads, "--log", self.dir / f"{output}.csv", output=output)
        self.assertTrue((self.picture("a.png") == self.picture("b.png")).all())
        strip = lambda name: [{k: v for k, v in r.items() if k != "seconds"} for r in self.rows(name)]  # noqa: E731
        self.assertEqual(strip("a.png.csv"), strip("b.png.csv"))
        self.assertEqual(strip("b.png.csv"), strip("c.png.csv"))
        self.succeeds("--init", "noise", "--seed", 8, output="d.png")
        self.assertFalse((self.picture("a.png") == self.picture("d.png")).all())

    def test_every_option_of_the_method(self):
        plain = self.succeeds("--log", self.dir / "plain.csv") and self.rows("plain.csv")
        last = lambda rows, term: float(rows[-1][term])  # noqa: E731
        variants = {
            ("--style-weight", "1e7"): "style", ("--content-weight", "0"): "content", ("--tv-weight", "1"): "tv",
            ("--style-layers", "relu1_1:0.7,relu3_1"): "style", ("--content-layers", "relu2_2"): "content",
            ("--content-reduction", "sum"): "content", ("--pooling", "avg"): "style", ("--learning-rate", "0.1"): "total",
            ("--optimizer", "lbfgs"): "total", ("--init", "style"): "content", ("--init", "noise"): "content", ("--style-size", "24"): "style",
        }
        for options, term in variants.items():
            with self.subTest(options=options):
                self.succeeds(*options, "--log", self.dir / "v.csv", output="v.png")
                self.assertNotEqual(last(self.rows("v.csv"), term), last(plain, term))
        self.succeeds("--device", "cpu", "--quiet")

    def test_quiet_prints_nothing(self):
        result = self.succeeds("--quiet")
        self.assertEqual((result.stdout, result.stderr), ("", ""))

    def test_two_styles_and_blend(self):
        Image.fromarray(wave_picture(50, 30, 3)).save(self.dir / "style2.png")
        styles = ("style.png", "style2.png")
        self.succeeds("--log", self.dir / "a.csv", style=styles)
        self.succeeds("--log", self.dir / "b.csv", "--style-blend", "0.9,0.1", "--sheet", self.dir / "sheet.png", style=styles)
        self.assertNotEqual(self.rows("a.csv")[0]["style"], self.rows("b.csv")[0]["style"])
        self.assertGreater(self.picture("sheet.png").shape[1], 48 * 2 + 20)

    def test_save_every_and_sizes(self):
        self.succeeds("--save-every", 2, "--size", 0, iterations=4)
        self.assertEqual(self.picture().shape, (48, 64, 3))
        self.assertEqual(self.picture("out_0002.png").shape, (48, 64, 3))
        self.assertTrue((self.picture("out_0004.png") == self.picture()).all())

    def test_preserve_color(self):
        grey = np.repeat(wave_picture(48, 64, 1)[:, :, :1], 3, axis=2)
        Image.fromarray(grey).save(self.dir / "grey.png")
        self.succeeds("--preserve-color", "--init", "style", content="grey.png")
        result = self.picture().astype(int)
        self.assertLessEqual(np.abs(result - result.mean(axis=2, keepdims=True)).max(), 2, "a grey content stays grey")

    # What goes in

    def test_kinds_of_pictures(self):
        rgb = wave_picture(48, 64, 1)
        Image.fromarray(np.dstack([rgb[:, :, 0], 255 - rgb[:, :, 1]]), "LA").save(self.dir / "grey_alpha.png")
        alpha = np.dstack([rgb, np.where(np.arange(64) < 32, 255, 0).astype(np.uint8)[None].repeat(48, 0)])
        Image.fromarray(rgb).save(self.dir / "c.jpg")
        Image.fromarray(rgb).save(self.dir / "c.bmp")
        Image.fromarray(rgb).save(self.dir / "c.tga")
        Image.fromarray(rgb[:, :, 0]).save(self.dir / "grey.png")
        for content in ("c.jpg", "c.bmp", "c.tga", "grey.png"):
            with self.subTest(content=content):
                self.succeeds(content=content, iterations=1)
                self.assertEqual(self.picture().shape, (36, 48, 3))
        Image.fromarray(alpha).save(self.dir / "alpha.png")
        self.succeeds(content="alpha.png", iterations=1)
        kept = self.picture()
        self.assertEqual(kept.shape, (36, 48, 4))
        self.assertEqual((kept[0, 2, 3], kept[0, -3, 3]), (255, 0))
        self.succeeds(content="grey_alpha.png", style=("alpha.png",), iterations=1)
        self.assertEqual(self.picture().shape, (36, 48, 4))
        self.succeeds(content="alpha.png", output="out.jpg", iterations=1)
        self.assertEqual(self.picture("out.jpg").shape, (36, 48, 3))

    UNCHANGED = ("--iterations", 1, "--learning-rate", 1e-9)

    def test_transparency_comes_out_as_it_went_in(self):
        rgb = wave_picture(36, 48, 1)
        every_alpha = np.arange(36 * 48).reshape(36, 48) * 37 % 256
        soft_edge = np.clip(np.arange(48)[None] * 16 - 200, 0, 255).repeat(36, 0)
        for alpha in (np.full((36, 48), 128), every_alpha, soft_edge):
            content = np.dstack([rgb, alpha.astype(np.uint8)])
            Image.fromarray(content).save(self.dir / "alpha.png")
            for more in ((), ("--preserve-color",), ("--optimizer", "adam", "--save-every", 1)):
                self.succeeds(*self.UNCHANGED, "--sheet", self.dir / "sheet.png", *more, content="alpha.png")
                for name in ("out.png", "out_0001.png") if "--save-every" in more else ("out.png",):
                    result = self.picture(name).astype(int)
                    self.assertTrue((result[..., 3] == alpha).all())
                    self.assertLessEqual(np.abs(result - content)[alpha > 0].max(), 1, more)
                seen = (rgb * (alpha[..., None] / 255) + 255 - alpha[..., None]).round()
                sheet = self.picture("sheet.png").astype(int)
                for left in (0, sheet.shape[1] - 48):  # the content and the result
                    self.assertLessEqual(np.abs(sheet[:, left:left + 48] - seen).max(), 1)
        # A JPEG is put on white once. Its own error is small in flat areas.
        for grey, alpha, seen in ((100, 128, 177), (0, 255, 0), (77, 0, 255), (200, 51, 244)):
            Image.new("LA", (48, 32), (grey, alpha)).save(self.dir / "flat.png")
            self.succeeds(*self.UNCHANGED, content="flat.png", output="out.jpg")
            self.assertLessEqual(np.abs(self.picture("out.jpg").astype(int) - seen).max(), 1)

    def test_what_lies_under_transparent_pixels_is_not_seen(self):
        rgb = wave_picture(64, 64, 1)
        alpha = np.where((np.arange(64) // 16 % 2)[None].repeat(64, 0) == 1, 255, 0)[..., None]
        losses, sheets = [], []
        for under in (0, 255, 131):
            picture = np.dstack([np.where(alpha > 0, rgb, under), alpha]).astype(np.uint8)
            Image.fromarray(picture).save(self.dir / "content.png")
            Image.fromarray(picture[::-1].copy()).save(self.dir / "style.png")
            for size in (64, 40):
                self.succeeds("--size", size, "--sheet", self.dir / "sheet.png", "--log", self.dir / "run.csv", "--init", "style", iterations=3)
                losses.append([r["total"] for r in self.rows()])
                sheets.append(self.picture("sheet.png").astype(int))
        for i in range(2):
            self.assertEqual(losses[i], losses[2 + i])
            self.assertEqual(losses[i], losses[4 + i])
            self.assertTrue((sheets[i] == sheets[2 + i]).all() and (sheets[i] == sheets[4 + i]).all())

    def test_transparency_that_is_painted(self):
        # What is seen on white is what was optimised: the visible part changes, the margin does not.
        alpha = np.clip(np.abs(np.arange(48) - 24) * -30 + 500, 0, 255)[None].repeat(36, 0)
        Image.fromarray(np.dstack([wave_picture(36, 48, 1), alpha.astype(np.uint8)])).save(self.dir / "alpha.png")
        self.succeeds("--sheet", self.dir / "sheet.png", "--learning-rate", 0.05, content="alpha.png", iterations=20)
        result, sheet = self.picture().astype(float), self.picture("sheet.png").astype(float)
        self.assertTrue((result[..., 3] == alpha).all())
        before, after = sheet[:, :48], sheet[:, -48:]
        seen = result[..., :3] * alpha[..., None] / 255 + 255 - alpha[..., None]
        self.assertLessEqual(np.abs(after - seen).max(), 1)
        change = np.abs(after - before).mean(axis=(0, 2))
        self.assertEqual(change[alpha[0] == 0].max(), 0)
        self.assertGreater(change[alpha[0] == 255].min(), 5)
        soft = np.abs(result[..., :3] - self.picture("alpha.png")[..., :3]).mean(axis=(0, 2))[(alpha[0] > 0) & (alpha[0] < 255)]
        self.assertLess(soft.max(), 2.5 * change[alpha[0] == 255].max(), "no fringe: soft edges change as much as what they belong to")

    def test_exif_orientation(self):
        image = Image.fromarray(wave_picture(48, 64, 1))
        exif = Image.Exif()
        exif[0x0112] = 6  # turn by a quarter
        image.save(self.dir / "turned.jpg", exif=exif)
        self.succeeds(content="turned.jpg", iterations=1)
        self.assertEqual(self.picture().shape, (48, 36, 3))

    # What goes wrong

    def test_bad_pictures(self):
        self.fails("nothing.png", content="nothing.png")
        (self.dir / "text.jpg").write_text("this is no picture\n")
        self.fails("'.*text.jpg' is not a picture", content="text.jpg")
        whole = (self.dir / "content.png").read_bytes()
        (self.dir / "cut.png").write_bytes(whole[: len(whole) // 2])
        self.fails("cut.png", content="cut.png")
        (self.dir / "flipped.png").write_bytes(whole[:200] + bytes([whole[200] ^ 255]) + whole[201:])
        self.fails("flipped.png", style=("flipped.png",))
        (self.dir / "empty.png").write_bytes(b"")
        self.fails("empty.png", content="empty.png")
        huge = whole[:16] + (60000).to_bytes(4, "big") * 2 + whole[24:]
        (self.dir / "huge.png").write_bytes(huge)
        self.fails("huge.png", content="huge.png")
        Image.fromarray(wave_picture(8, 8, 1)).save(self.dir / "tiny.png")
        self.fails("--content '.*tiny.png' has 8x8 pixels here, too small .* need 16 a side; choose a larger --size", "--size", 0, content="tiny.png")
        self.fails("--style '.*style.png' has 9x6 pixels here, too small .*; choose a larger --style-size", "--style-size", 9)
        self.fails("--content '.*content.png' at 16000x12000 pixels needs about .* choose a smaller --size", "--size", 16000)
        self.fails("--style '.*style.png' at 16000x11429 pixels needs about .* choose a smaller --style-size", "--style-size", 16000)
        self.fails("is a directory|not a picture|directory", content=".")

    def test_bad_numbers(self):
        whole = [(option, least, least - 1) for option, least in (("--iterations", 1), ("--save-every", 1), ("--checkpoint-every", 1), ("--seed", 0))]
        for option, least, given in whole:
            said = f"^style_transfer: {option}: expected at least {least}, got {given}; see style_transfer --help$"
            self.fails(said, option, given)
            for text in ("many", "nan", "1.5", "010", "0x40", "1e3", "", "1 2"):
                self.fails(f"{option}: expected a whole number, at least {least}, got '?{text}'?;", option, text)
            self.fails(f"{option}: expected at most {'18446744073709551615' if least == 0 else '9223372036854775807'}, got 99999999999999999999;", option, 99999999999999999999)
        for option, least, most in (("--size", 0, 16384), ("--style-size", 0, 16384), ("--threads", 1, 1024)):
            for given in (least - 1, most + 1, 99999999999999999999, -99999999999999999999):
                self.fails(f"{option}: expected {least} to {most}, got {given};", option, given)
            self.fails(f"{option}: expected a whole number, {least} to {most}, got 5x;", option, "5x")
        for option, least in (("--learning-rate", "more than 0"), ("--content-weight", "at least 0"), ("--style-weight", "at least 0"), ("--tv-weight", "at least 0"),
                              ("--style-blend", "at least 0")):
            self.fails(f"{option}: expected {least}, got -1;", option, -1)
            for text in ("nan", "inf", "1e999", "x"):
                self.fails(f"{option}: expected a finite number, {least}, got {text};", option, text)
        self.fails("--learning-rate: expected more than 0, got 0;", "--learning-rate", 0)
        for options in (("--optimizer", "sgd"), ("--init", "x"), ("--pooling", "min"), ("--content-reduction", "max"), ("--device", "tpu"), ("--unknown", "1")):
            with self.subTest(options=options):
                self.fails(re.escape(options[0].lstrip("-")), *options)
        self.fails("2 blend weights for 1 style", "--style-blend", "1,1")
        self.fails("blend", "--style-blend", "0")

    def test_missing_options(self):
        result = subprocess.run([str(PROGRAM)], capture_output=True, text=True)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn("required", result.stderr)

    def test_bad_layers(self):
        self.fails("no layer 'relu9_9'", "--style-layers", "relu9_9")
        self.fails("no layer 'x'", "--content-layers", "x")
        self.fails("is not a layer with a weight", "--style-layers", "relu1_1:much")
        self.fails("named twice", "--style-layers", "relu1_1,relu1_1")

    def test_bad_weights(self):
        (self.dir / "cut.safetensors").write_bytes(WEIGHTS.read_bytes()[:5000])
        (self.dir / "text.safetensors").write_text("not weights at all")
        self.fails("missing.safetensors", "--weights", self.dir / "missing.safetensors")
        self.fails("cut.safetensors", "--weights", self.dir / "cut.safetensors")
        self.fails("text.safetensors", "--weights", self.dir / "text.safetensors")
        whole = WEIGHTS.read_bytes()
        (self.dir / "nan.safetensors").write_bytes(whole[:-4] + b"\x00\x00\xc0\x7f")
        self.fails("nan.safetensors.*a value that is not a number", "--weights", self.dir / "nan.safetensors")
        self.assertIn(b"[64,3,3,3]", whole[:20000])
        (self.dir / "shape.safetensors").write_bytes(whole.replace(b"[64,3,3,3]", b"[3,64,3,3]", 1))
        self.fails(r"features.0.weight.*\(64,3,3,3\).*\(3,64,3,3\)|features.0.weight.*\(3,64,3,3\).*\(64,3,3,3\)",
                   "--weights", self.dir / "shape.safetensors")

    def test_weights_are_found_without_the_option(self):
        def without_weights(program):
            words = self.command("--quiet", iterations=1)
            at = words.index("--weights")
            return subprocess.run([str(program), *words[1:at], *words[at + 2:]], capture_output=True, text=True, cwd=self.dir, timeout=300)

        if PROGRAM.resolve().parents[3] == ROOT:
            self.assertEqual(without_weights(PROGRAM).returncode, 0, "of the source tree that the program was built in")
            self.assertEqual(self.picture().shape, (36, 48, 3))
        moved = self.dir / "style_transfer"
        shutil.copy(PROGRAM, moved)
        result = without_weights(moved)
        self.assertEqual((result.returncode, len(result.stderr.splitlines())), (1, 1), result.stderr)
        self.assertIn("there are no weights yet", result.stderr)
        (self.dir / "weights").mkdir()
        (self.dir / "weights/vgg19.safetensors").symlink_to(WEIGHTS)
        self.assertEqual(without_weights(moved).returncode, 0, "of the working directory")

    def test_bad_environment(self):
        with unittest.mock.patch.dict(os.environ, LILY_CONV="fft"):
            self.fails("LILY_CONV is rule, direct, winograd, winograd_by_filters, onednn or onednn_winograd, not 'fft'")
        with unittest.mock.patch.dict(os.environ, LILY_CONV="onednn_winograd", LILY_CPU_ISA="avx2"):
            self.fails("LILY_CONV=onednn_winograd: this version of oneDNN has no Winograd form for this CPU")

    def test_bad_outputs(self):
        self.fails("gif", output="out.gif")
        self.fails("no/such/folder", output="no/such/folder/out.png")
        self.fails("sheet", "--sheet", self.dir / "no/sheet.png")
        self.fails("run.csv", "--log", self.dir / "no/run.csv")
        self.fails("x.svg", "--plot", self.dir / "content.png/x.svg")
        self.fails("checkpoint", "--checkpoint", self.dir / "no/checkpoint")

        self.fails("/proc/out.png", output="/proc/out.png")  # a folder that is there, and in which not even root may write
        if os.geteuid() != 0:
            (self.dir / "locked").mkdir(mode=0o500)
            self.fails("Permission denied", output="locked/out.png")

    def test_plot_without_gnuplot(self):
        with unittest.mock.patch.dict(os.environ, PATH=str(self.dir)):
            self.fails("gnuplot", "--plot", self.dir / "loss.svg")

    def test_little_memory(self):
        for megabytes in (200, 300, 380):
            self.fails("--content '.*' at 48x36 pixels needs about [0-9]+ MB, ulimit -v allows .*; choose a smaller --size, or raise that limit",
                       "--threads", 1, limit=(resource.RLIMIT_AS, megabytes * 1_000_000))
        result = self.run_program("--threads", 1, limit=(resource.RLIMIT_AS, 440_000_000))
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_long_names(self):
        longest = "n" * 251 + ".png"
        process = subprocess.Popen(self.command(output=longest, iterations=20000), stderr=subprocess.PIPE, cwd=self.dir)
        while b"1/20000" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=100)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.picture(longest).shape, (36, 48, 3))
        self.assertTrue((self.dir / ("n" * 244 + ".checkpoint")).exists())
        self.fails("cannot write .*n...': File name too long", "--save-every", 1, output=longest, iterations=2)

    def test_a_failed_last_write_goes_elsewhere(self):
        here, temporary = self.dir / "here", self.dir / "temporary"
        here.mkdir(), temporary.mkdir()
        names = ("out.png", "sheet.png", "loss.svg", "profile.csv", "state")
        self.succeeds(output="whole.png", iterations=4)
        options = ("--sheet", self.dir / "sheet.png", "--plot", self.dir / "loss.svg", "--profile", self.dir / "profile.csv", "--checkpoint", self.dir / "state")
        for name in names:
            (self.dir / name).symlink_to("/dev/full")
        result = self.run_program(*options, "--quiet", iterations=4, cwd=here)
        self.assertEqual((result.returncode, len(result.stderr.splitlines())), (1, 1), result.stderr)
        for name in names:
            self.assertRegex(result.stderr, f"cannot write '[^']*/{name}': No space left on device; it is in '[^']*here/{name}'")
        self.assertEqual(sorted(p.name for p in here.iterdir()), sorted(names))
        self.assertTrue((self.picture("here/out.png") == self.picture("whole.png")).all())
        for name in names:
            (self.dir / name).unlink()
        self.succeeds("--resume", here / "state", output="more.png", iterations=5)
        # A limit of the file's size instead of a full disk, in the working directory too; what fits is written.
        before = (here / "out.png").read_bytes()
        with unittest.mock.patch.dict(os.environ, TMPDIR=str(temporary)):
            result = self.run_program("--checkpoint", self.dir / "state", iterations=4, cwd=here, limit=(resource.RLIMIT_FSIZE, 15000))
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr.splitlines()[-1], "cannot write '[^']*/state': File too large; the working directory and the temporary folder did not take it either")
        self.assertTrue((self.picture() == self.picture("whole.png")).all())
        self.assertEqual((here / "out.png").read_bytes(), before)
        self.assertEqual(list(temporary.iterdir()), [])
        self.fails("File too large", limit=(resource.RLIMIT_FSIZE, 1000), output="never.png")

    def test_sizes_that_no_file_can_have(self):
        Image.fromarray(wave_picture(2400, 24, 1)).save(self.dir / "tall.png")
        Image.fromarray(wave_picture(24, 2400, 2)).save(self.dir / "long.png")
        self.fails("240.* too many|do not|does not fit", "--size", 0, "--sheet", self.dir / "sheet.png", content="tall.png", style=("long.png",))
        Image.fromarray(wave_picture(16, 66000, 2)[:, :, :3]).save(self.dir / "longer.png")
        self.fails("out.jpg.*a JPEG has at most 65535 pixels a side, this is 66000 x 16", "--size", 0, content="longer.png", output="out.jpg")

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_full_disk(self):
        self.fails("No space left", "--log", "/dev/full")
        for name, options in (("full.png", ()), ("sheet.png", ("--sheet", self.dir / "sheet.png")), ("loss.svg", ("--plot", self.dir / "loss.svg")),
                              ("state", ("--checkpoint", self.dir / "state", "--checkpoint-every", 2)), ("out_0002.png", ("--save-every", 2)),
                              ("profile.csv", ("--profile", self.dir / "profile.csv"))):
            with self.subTest(name=name):
                (self.dir / name).symlink_to("/dev/full")
                result = self.run_program(*options, output=name if name == "full.png" else "out.png")
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertRegex(result.stderr.splitlines()[-1], f"^style_transfer: .*{name}.*No space left")
                self.assertRegex(result.stderr.splitlines()[-1], "it is in '[^']*-2|the picture so far is in [^ ]*out.png; to go on: --resume ")

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_full_disk_does_not_lose_the_run(self):
        (self.dir / "full.png").symlink_to("/dev/full")
        state = self.dir / "state"
        self.assertEqual(self.run_program("--checkpoint", state, output="full.png", iterations=3).returncode, 1)
        self.succeeds("--resume", state, iterations=5)
        self.succeeds(output="whole.png", iterations=5)
        self.assertTrue((self.picture() == self.picture("whole.png")).all())

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_an_error_on_the_way_loses_nothing(self):
        (self.dir / "out_0002.png").symlink_to("/dev/full")
        self.assertEqual(self.run_program("--save-every", 2, "--checkpoint", self.dir / "state", iterations=5).returncode, 1)
        self.assertEqual(self.picture().shape, (36, 48, 3))
        self.succeeds("--resume", self.dir / "state", iterations=5)
        with open("/dev/full", "w") as full:  # what cannot be told ends no run
            done = subprocess.run(self.command(output="told.png"), stderr=full, timeout=300)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.picture("told.png").shape, (36, 48, 3))

    def test_interrupt_when_nobody_listens_any_more(self):
        # `style_transfer 2>&1 | tee log`: Ctrl-C ends tee too.
        process = subprocess.Popen(self.command("--checkpoint", self.dir / "state", iterations=20000), stderr=subprocess.PIPE)
        while b"1/20000" not in process.stderr.readline():
            pass
        process.stderr.close()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=100), 130)
        self.assertEqual(self.picture().shape, (36, 48, 3))
        self.assertTrue((self.dir / "state").exists())

    def test_one_file_for_two_options(self):
        before = (self.dir / "content.png").read_bytes()
        for options, said in ((("--sheet", self.dir / "out.png"), "--output and --sheet are one file"),
                              (("--checkpoint", self.dir / "../" / self.dir.name / "out.png"), "--output and --checkpoint are one file"),
                              (("--log", self.dir / "x", "--plot", self.dir / "x"), "--log and --plot are one file"),
                              (("--log", self.dir / "content.png"), "--log and --content are one file"),
                              (("--profile", self.dir / "style.png"), "--profile and --style are one file")):
            self.fails(said, *options)
        Image.fromarray(wave_picture(48, 64, 1)).save(self.dir / "photo_0002.png")
        self.fails("--content and a picture of --save-every are one file", "--save-every", 1, content="photo_0002.png", output="photo.png")
        self.succeeds("--save-every", 3, content="photo_0002.png", output="photo.png")
        (self.dir / "link.png").symlink_to("new.png")
        self.fails("--output and --sheet are one file", "--sheet", self.dir / "new.png", output="link.png")
        self.assertEqual((self.dir / "content.png").read_bytes(), before)
        self.succeeds("--log", "/dev/null", "--profile", "/dev/null")
        self.succeeds(output="content.png")

    def test_divergence_saves_the_last_good_picture(self):
        for iterations in (20, 1):  # found by the second step, or after the last
            with self.subTest(iterations=iterations):
                result = self.run_program("--learning-rate", "1e18", iterations=iterations)
                self.assertEqual(result.returncode, 1)
                self.assertRegex(result.stderr.splitlines()[-1], r"the loss became .* last good picture is in .*out.png")
                content = np.asarray(Image.open(self.dir / "content.png").resize((48, 36)), float)
                self.assertLess(np.abs(self.picture() - content).mean(), 8)

    def test_a_run_that_does_not_move(self):
        self.fails("the gradient reaches .* which Adam cannot square in f32: pixels would stay as they are; try a lower --style-weight", "--style-weight", "1e30")
        self.succeeds("--style-weight", "1e30", "--optimizer", "lbfgs", "--log", self.dir / "run.csv", iterations=4)
        totals = [float(r["total"]) for r in self.rows()]
        self.assertEqual(totals, sorted(set(totals), reverse=True), "each step is lower")
        for options, rows in ((("--optimizer", "lbfgs", "--style-weight", 0, "--tv-weight", 0), 3), (("--learning-rate", 1e-20), 2)):
            result = self.succeeds(*options, "--log", self.dir / "run.csv", iterations=50)
            self.assertRegex(result.stderr, f"stops after iteration {rows}, the picture no longer changes: ")
            self.assertEqual(len(self.rows()), rows)
            content = np.asarray(Image.open(self.dir / "content.png").resize((48, 36)), float)
            self.assertLess(np.abs(self.picture() - content).mean(), 8)

    # Interrupting and resuming

    def wait_for_rows(self, process, log, count):
        for _ in range(1500):
            if process.poll() is not None:
                self.fail(f"ended too early: {process.communicate()[1]}")
            if (self.dir / log).exists() and len((self.dir / log).read_text().splitlines()) > count:
                return
            time.sleep(0.02)
        self.fail("the program made no progress")

    def test_interrupt_saves_and_resume_gives_the_same_bits(self):
        self.succeeds("--log", self.dir / "whole.csv", output="whole.png", iterations=40)
        process = subprocess.Popen(self.command("--log", self.dir / "run.csv", iterations=40), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_for_rows(process, "run.csv", 2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn("interrupted after iteration", errors)
        self.assertIn("--resume", errors)
        self.assertTrue((self.dir / "out.png").exists())
        self.succeeds("--resume", self.dir / "out.png.checkpoint", "--log", self.dir / "run.csv", iterations=40)
        self.assertTrue((self.picture() == self.picture("whole.png")).all())
        drop = lambda name: [{k: v for k, v in r.items() if k != "seconds"} for r in self.rows(name)]  # noqa: E731
        self.assertEqual(drop("run.csv"), drop("whole.csv"))

    def test_kill_9_and_resume_gives_the_same_bits(self):
        for optimizer in ("adam", "lbfgs"):
            with self.subTest(optimizer=optimizer):
                options = ("--optimizer", optimizer)
                checkpoint = self.dir / "state"
                checkpoint.unlink(missing_ok=True)
                (self.dir / "run.csv").unlink(missing_ok=True)
                process = subprocess.Popen(self.command(*options, "--checkpoint", checkpoint, "--checkpoint-every", 1, "--log", self.dir / "run.csv", iterations=2000),
                                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                self.wait_for_rows(process, "run.csv", 6)
                process.kill()
                process.communicate()
                total = self.done(checkpoint, options) + 5  # how far it came depends on the machine
                self.succeeds(*options, "--resume", checkpoint, "--log", self.dir / "run.csv", iterations=total)
                self.succeeds(*options, output="whole.png", iterations=total)
                self.assertTrue((self.picture() == self.picture("whole.png")).all())
                self.assertEqual([int(r["iteration"]) for r in self.rows()], list(range(1, total + 1)))

    def done(self, checkpoint, options):
        """Iterations in a checkpoint, as the program itself says."""
        result = self.run_program(*options, "--resume", checkpoint, iterations=1, output="probe.png")
        match = re.search(r"has (\d+) iterations done already", result.stderr)
        self.assertTrue(match, result.stderr)
        return int(match.group(1))

    def test_resume_with_other_settings_is_refused(self):
        state = self.dir / "state"
        self.succeeds("--checkpoint", state, iterations=2)
        self.fails(r"other settings: --style-weight 100 \(was 5", "--resume", state, "--style-weight", "100", iterations=4)
        Image.fromarray(wave_picture(48, 64, 5)).save(self.dir / "other.png")
        self.fails("other settings: --content is another picture$", "--resume", state, content="other.png", iterations=4)
        self.fails("other settings: --style 1 is another picture$", "--resume", state, style=("other.png",), iterations=4)
        self.fails("other settings: --content has 64x48 pixels .was 48x36.: pass the same --size, --style 1 has 64x46 pixels .was 48x34.: pass the same --style-size$",
                   "--resume", state, "--size", 64, iterations=4)
        self.fails("other settings: --style 1 has 40x29 pixels .was 48x34.: pass the same --style-size$", "--resume", state, "--style-size", 40, iterations=4)
        two = self.dir / "two"
        self.succeeds("--checkpoint", two, style=("style.png", "other.png"), iterations=2)
        self.fails("other settings: --style 2 is missing$", "--resume", two, iterations=4)
        self.fails("other settings: --style 2 is one more, --style-blend 0.5,0.5 .was .$", "--resume", state, "--style-blend", "0.5,0.5", style=("style.png", "other.png"), iterations=4)
        self.fails("iterations done already", "--resume", state, iterations=2)
        self.fails("vgg19.safetensors", "--resume", WEIGHTS, iterations=4)
        (self.dir / "cut").write_bytes(state.read_bytes()[:-100])
        self.fails("cut", "--resume", self.dir / "cut", iterations=4)

    # On a terminal

    def test_progress_bar_on_a_terminal(self):
        parent, child = pty.openpty()
        process = subprocess.Popen(self.command(iterations=30), stdout=child, stderr=child, close_fds=True)
        os.close(child)
        shown = b""
        while True:
            ready, _, _ = select.select([parent], [], [], 120)
            self.assertTrue(ready, "the program is silent")
            try:
                piece = os.read(parent, 65536)
            except OSError as error:
                self.assertEqual(error.errno, errno.EIO)
                break
            if not piece:
                break
            shown += piece
        os.close(parent)
        self.assertEqual(process.wait(), 0)
        text = shown.decode()
        self.assertIn("\r", text)
        self.assertRegex(text, r"30/30")
        self.assertRegex(text, r"it/s")
        self.assertRegex(text, r"total")

    def test_help_has_examples(self):
        result = subprocess.run([str(PROGRAM), "--help"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0)
        self.assertIn("Examples:", result.stdout)
        source = (ROOT / "examples/style_transfer/command_line.cpp").read_text()
        options = set(re.findall(r'options[.]\w+\("(--[a-z-]+)"', source))
        self.assertGreaterEqual(len(options), 25, options)
        for option in options:
            self.assertRegex(result.stdout, rf"(?m)^ +{option}[ ,]")


if __name__ == "__main__":
    sys.exit(unittest.main())
