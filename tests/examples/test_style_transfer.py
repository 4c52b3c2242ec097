# SPDX-License-Identifier: MIT
"""The program style_transfer as a user meets it: every flag, bad input, interruption, resuming."""

import errno
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import unittest
import unittest.mock
import xml.etree.ElementTree

import numpy as np
from PIL import Image
from style_transfer_case import PROGRAM, ROOT, WEIGHTS, StyleTransferCase, wave_picture


@unittest.skipUnless(WEIGHTS.exists(), "weights/vgg19.safetensors is not there: run tools/convert_vgg19.py")
class StyleTransferTest(StyleTransferCase):
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

    # Interrupting and resuming

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
        Image.fromarray(wave_picture(40, 56, 6)).save(self.dir / "style2.png")
        self.fails("other settings: --style 1 is another picture$", "--resume", state, style=("style2.png",), iterations=4)
        self.fails("other settings: --content has 64x48 pixels .was 48x36.: pass the same picture and --size, "
                   "--style 1 has 64x46 pixels .was 48x34.: pass the same picture and --style-size$", "--resume", state, "--size", 64, iterations=4)
        self.fails("other settings: --style 1 has 40x29 pixels .was 48x34.: pass the same picture and --style-size$", "--resume", state, "--style-size", 40, iterations=4)
        two = self.dir / "two"
        self.succeeds("--checkpoint", two, style=("style.png", "other.png"), iterations=2)
        self.fails("other settings: --style 2 is missing$", "--resume", two, iterations=4)
        self.fails("other settings: --style 2 is one more, --style-blend 0.5,0.5 .was .$", "--resume", state, "--style-blend", "0.5,0.5", style=("style.png", "other.png"), iterations=4)
        self.fails(r"has 2 iterations done already; pass a larger --iterations$", "--resume", state, iterations=2)
        self.fails("vgg19.safetensors", "--resume", WEIGHTS, iterations=4)
        (self.dir / "cut").write_bytes(state.read_bytes()[:-100])
        self.fails("cut", "--resume", self.dir / "cut", iterations=4)

    def test_weights_are_known_whole(self):
        state, other = self.dir / "state", self.dir / "other.safetensors"
        self.succeeds("--checkpoint", state, iterations=2)
        weights = bytearray(WEIGHTS.read_bytes())
        start = 8 + int.from_bytes(weights[:8], "little")
        header = json.loads(weights[8:start])
        for name in ("features.0.bias", "features.10.weight"):
            at = start + header[name]["data_offsets"][0]
            changed = bytearray(weights)
            changed[at:at + 4] = np.float32(2 * np.frombuffer(weights[at:at + 4], "<f4")[0] + 1).tobytes()
            other.write_bytes(changed)
            self.fails("other settings: --weights [0-9a-f]{16} .was [0-9a-f]{16}.$", "--resume", state, "--weights", other, iterations=4)
        other.write_bytes(weights)
        self.succeeds("--resume", state, "--weights", other, iterations=4)

    def test_checkpoints_of_before_are_refused(self):
        # As the program wrote them when it was the only one: no run_format.
        old = self.dir / "old"
        self.succeeds("--checkpoint", old, iterations=2)
        data = old.read_bytes()
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8:8 + size])
        del header["__metadata__"]["run_format"]
        text = json.dumps(header).encode()
        old.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size:])
        self.fails("old' is a run of format 1, and this lilypad goes on with format 2: begin a new run$", "--resume", old, iterations=4)

    def test_history_of_a_resumed_run(self):
        # In the log where there is one, else in the checkpoint: the plot shows the whole run.
        points = lambda name: re.findall(r"<path[^>]*\bd='([^']*)'", (self.dir / name).read_text())  # noqa: E731
        self.succeeds("--plot", self.dir / "whole.svg", iterations=6)
        for log in ((), ("--log", self.dir / "run.csv")):
            self.succeeds("--checkpoint", self.dir / "state", *log, iterations=3)
            self.succeeds("--resume", self.dir / "state", "--plot", self.dir / "cut.svg", *log, iterations=6)
            self.assertTrue(points("whole.svg"))
            self.assertEqual(points("cut.svg"), points("whole.svg"))
        seconds = [float(r["seconds"]) for r in self.rows()]
        self.assertEqual(seconds, sorted(seconds))

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
        options = set(re.findall(r'[.]\w+\("(--[a-z-]+)"', source))
        self.assertGreaterEqual(len(options), 25, options)
        for option in options:
            self.assertRegex(result.stdout, rf"(?m)^ +{option}[ ,]")


if __name__ == "__main__":
    sys.exit(unittest.main())
