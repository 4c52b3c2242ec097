# SPDX-License-Identifier: MIT
"""What style_transfer refuses, and what it keeps when something fails."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import unittest
import unittest.mock

import numpy as np
from common import limits_addresses
from PIL import Image
from style_transfer_case import PROGRAM, ROOT, WEIGHTS, StyleTransferCase, wave_picture


@unittest.skipUnless(WEIGHTS.exists(), "weights/vgg19.safetensors is not there: run tools/convert_vgg19.py")
class StyleTransferFailuresTest(StyleTransferCase):
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

    @limits_addresses
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
        state = self.dir / "state"
        result = self.run_program("--learning-rate", "1e18", "--checkpoint", state, iterations=20)
        self.assertNotIn("the last good state", result.stderr.splitlines()[-1])
        self.assertFalse(state.exists(), "what has diverged is no state to go on from")

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


if __name__ == "__main__":
    sys.exit(unittest.main())
