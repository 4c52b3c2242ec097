# SPDX-License-Identifier: MIT
"""The parts of benchmarks/vs_pytorch.py that need no PyTorch; the programs on both sides are played by scripts of the test."""

import contextlib
import importlib.util
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree
from pathlib import Path
from unittest import mock

import numpy as np
import torch_files  # noqa: F401  (puts tools/ on the path)
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import vs_pytorch  # noqa: E402
from compare import figures, gan, machine, neighbours, nst, pictures, process, profile, report, rivals, scaling, stylegan  # noqa: E402
from compare.process import Run  # noqa: E402
from toolkit import ToolError, run_tool  # noqa: E402

# mnist_gan and gan_quality.py: samples are their maker and seed, and a classifier is whatever was trained first.
JUDGE = """#!{python}
import json, os, pathlib, sys
words = {{word: sys.argv[i + 1] for i, word in enumerate(sys.argv[:-1]) if word.startswith("--")}}
if os.environ.get("FAIL") == sys.argv[1]:
    sys.exit("first line\\nfake: no data")
if sys.argv[1] == "train":
    os.mkdir(words["--out"])
    pathlib.Path(words["--out"], "model.safetensors").write_text("0")
elif sys.argv[1] == "sample":
    pathlib.Path(words["--out"]).write_text(pathlib.Path(words["--model"]).read_text() + " " + words["--seed"])
elif sys.argv[1] == "pytorch":
    pathlib.Path(words["--samples"]).write_text("1 " + words["--seed"])
else:
    if "--train-classifier" in sys.argv:
        pathlib.Path(words["--classifier"]).write_text("")
        with open(pathlib.Path(sys.argv[0]).parent / "classifiers", "a") as log:
            log.write("trained\\n")
    maker, seed = map(int, pathlib.Path(words["--samples"]).read_text().split())
    pathlib.Path(words["--json"]).write_text(json.dumps({{"frechet": 10 * seed + maker, "confidence": 0.9, "shares": [0.1, 0.3]}}))
"""

# Both sides: logs rows whose losses fall; what differs comes from the environment.
PROGRAM = """#!{python}
import json, os, sys
words = {{word: sys.argv[i + 1] for i, word in enumerate(sys.argv) if word.startswith("--") and word != "--quiet"}}
if os.environ.get("FAIL") == "start":
    sys.exit("first line\\nfake: there is no picture")
drift = float(os.environ.get("DRIFT", 0)) if "--mode" in words else 0
with open(words["--log"], "w") as log:
    log.write("iteration,seconds,total\\n")
    for i in range(1, int(words["--iterations"]) + 1):
        log.write(f"{{i}},{{0.25 * i}},{{1000 / i * (1 + drift * i)}}\\n")
        log.flush()
if os.environ.get("FAIL") == "end":
    os.kill(os.getpid(), 9)
if "--mode" in words:
    print(json.dumps({{"peak_bytes": 4000000, "cuda_library_bytes": 1000000, "inputs": ["abc", os.environ.get("STYLE_INPUT", "def")]}}))
if "--checkpoint" in words:
    header = json.dumps({{"__metadata__": {{"setting.--content": "abc", "setting.--style 1": "def"}}}}).encode()
    open(words["--checkpoint"], "wb").write(len(header).to_bytes(8, "little") + header)
if "--profile" in words:
    open(words["--profile"], "w").write({profile!r})
"""
PROFILE = """op,pass,shape,calls,seconds
conv2d_relu,forward,1x3x8x6 64x3x3x3 64 -> 1x64x8x6,2,0.004
conv2d,forward,1x3x8x6 64x3x3x3 - -> 1x64x8x6,2,0.002
conv2d_relu,backward,1x3x8x6 64x3x3x3 64 -> 1x64x8x6,4,0.006
conv2d_relu,forward,1x64x4x3 128x64x3x3 128 -> 1x128x4x3,2,0.001
gram,forward,1x64x8x6 -> 1x64x64,2,0.006
optimizer,other,,2,0.001
"""
MACHINE = "#!/bin/sh\necho '{\"isa\": \"avx2\", \"threads\": 2, \"fma_gflops\": 100, \"copy_gbytes\": 10, \"triad_gbytes\": 12}'\n"


class Figures(unittest.TestCase):
    def test_the_first_two_iterations_are_left_out(self):
        self.assertEqual(figures.iteration_seconds([9, 8, 1, 3, 2]), 2)
        self.assertEqual(figures.iteration_seconds([9, 8]), 8.5)
        self.assertEqual(figures.iteration_seconds([7]), 7)

    def test_medians_over_runs(self):
        side = figures.Side.of([Run([5, 5, 1.0, 1.2, 1.1], [], 3.0, 10), Run([5, 5, 2], [], 4.0, 30), Run([5, 5, 4], [], 2.0, 20)])
        self.assertEqual((side.iteration.median, side.iteration.least, side.iteration.most), (2, 1.1, 4))
        self.assertEqual((side.start_to_first.median, side.peak_bytes.median, side.runs), (3.0, 20, 3))

    def test_distance_of_curves(self):
        self.assertEqual(figures.curve_distance([1, 2, 3], [1, 2, 3]), 0)
        self.assertAlmostEqual(figures.curve_distance([1, 2.2, 3, 99], [1, 2, 3]), 0.1)
        self.assertEqual(figures.curve_distance([1, math.nan], [1, 2]), math.inf)
        self.assertEqual(figures.curve_distance([1, 2], [1, math.inf]), math.inf)
        self.assertEqual(figures.curve_distance([1, 2], [1, 0]), math.inf)
        self.assertEqual(figures.curve_distance([0], [0]), 0)

    def test_line_through_points(self):
        a, b = figures.slope([(1, 5), (2, 7), (4, 11)])
        self.assertAlmostEqual(a, 3)
        self.assertAlmostEqual(b, 2)
        self.assertEqual(figures.slope([(2, 7)]), (7, 0))

    def test_summary_takes_the_best_mode_of_each_precision_and_measure(self):
        def run(seconds, start, peak, factor=1.0):
            return Run([9, 9, seconds], [100 * factor, 90 * factor, 80 * factor], start, peak)
        runs = {"ours": [run(1, 1, 100)], "eager": [run(4, 9, 200)], "compile": [run(3, 30, 300, 1.02)], "bf16": [run(2, 8, 150, 1.5)]}
        rows, iterations = [profile.Row("optimizer", "", 2, 1.0)], 2
        result = nst.summary(64, runs, rows, iterations)
        f32, bf16 = result["against_best"]["f32"], result["against_best"]["bf16"]
        self.assertEqual(f32["iteration"], {"mode": "compile", "ratio": 3})
        self.assertEqual(f32["start_to_first"], {"mode": "eager", "ratio": 9})
        self.assertEqual(f32["peak_bytes"], {"mode": "eager", "ratio": 2})
        self.assertEqual(bf16["iteration"], {"mode": "bf16", "ratio": 2})
        self.assertEqual(result["disagreeing"], ["compile"], "2 % is too far for f32; bf16 is only reported")
        self.assertAlmostEqual(result["loss_distance"]["compile"], 1 - 1 / 1.02)
        text = "\n".join(report.size_lines(result, {"fma_gflops": 1, "copy_gbytes": 1, "triad_gbytes": 1}))
        self.assertIn("an iteration 3.00 times faster than compile; the start to the first iteration 9.00 times faster than eager; "
                      "peak memory 0.50 of eager's", text)
        self.assertIn("FAIL: the losses of compile", text)
        self.assertNotIn("CUDA", text)
        runs["eager"][0].peak_bytes, runs["eager"][0].cuda_library_bytes = 200_000_000, 75_000_000
        runs["ours"][0].peak_bytes = 100_000_000
        runs["compile"][0].peak_bytes = runs["bf16"][0].peak_bytes = 400_000_000
        text = "\n".join(report.size_lines(nst.summary(64, runs, rows, iterations), {"fma_gflops": 1, "copy_gbytes": 1, "triad_gbytes": 1}))
        self.assertIn("peak memory 0.50 of eager's, 75 MB of which are CUDA libraries (0.80 without them)\n", text)
        self.assertIn("peak memory 0.25 of bf16's\nNOTE: this PyTorch loads CUDA libraries", text)
        runs["compile"] = [run(0.5, 30, 300)]
        text = "\n".join(report.size_lines(nst.summary(64, runs, rows, iterations), {"fma_gflops": 1, "copy_gbytes": 1, "triad_gbytes": 1}))
        self.assertIn("an iteration 2.00 times slower than compile", text)
        self.assertNotIn("FAIL", text)


class CudaLibraries(unittest.TestCase):
    def test_resident_bytes_of_the_files_of_cuda(self):
        spec = importlib.util.spec_from_file_location("peak", ROOT / "benchmarks/rivals/peak.py")
        peak = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(peak)
        site = "/venv/lib/python3.11/site-packages"
        mappings = [(f"{site}/torch/lib/libtorch_cuda.so", 1000), (f"{site}/torch/lib/libtorch_cpu.so", 20), (f"{site}/torch/lib/libc10_cuda.so", 300),
                    (f"{site}/nvidia/cublas/lib/libcublas.so.12", 4000), (f"{site}/nvidia/cublas/lib/libcublas.so.12 (deleted)", 50000),
                    ("/usr/lib/libcudart.so.13.0.96", 600000), ("/usr/lib/libcurl.so.4", 7), ("/usr/lib/libcups.so.2", 8), ("[heap]", 9), ("", 10)]
        with tempfile.TemporaryDirectory() as folder:
            smaps = Path(folder) / "smaps"
            smaps.write_text("".join(f"7f0000000000-7f0000001000 r-xp 00000000 fe:01 42   {path}\nSize: 999999 kB\nRss: {rss} kB\nPss: 3 kB\n"
                                     for path, rss in mappings))
            self.assertEqual(peak.cuda_library_bytes(smaps), 655300 * 1024)
        self.assertEqual(peak.cuda_library_bytes(), 0, "this process has none")
        self.assertGreater(peak.peak_bytes(), 1 << 20)


class Profiles(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.path = Path(holder.name) / "profile.csv"

    def read(self, text):
        self.path.write_text(text)
        return profile.read(self.path)

    def test_shares_and_rates(self):
        rows, iterations = self.read(PROFILE)
        self.assertEqual(iterations, 2)
        flops = 2 * 64 * 3 * 9 * 48
        self.assertEqual(profile.direct_flops(rows[0]), flops)
        self.assertEqual(profile.direct_flops(rows[4]), 0)
        ops = {one["op"]: one for one in profile.shares(rows, iterations)}
        self.assertAlmostEqual(sum(one["share"] for one in ops.values()), 1)
        self.assertAlmostEqual(ops["gram forward"]["share"], 0.3)
        self.assertAlmostEqual(ops["gram forward"]["seconds"], 0.003)
        self.assertEqual((ops["gram forward"]["flops"], ops["gram forward"]["bytes"]), (0, 4 * (64 * 48 + 64 * 64)))
        self.assertEqual(ops["conv2d_relu backward"]["flops"], flops * 2)
        self.assertEqual(ops["optimizer"]["bytes"], 0)
        whole = profile.work(rows, iterations)
        self.assertEqual(whole.flops, sum(one["flops"] for one in ops.values()))
        self.assertEqual(whole.bytes, sum(one["bytes"] for one in ops.values()))
        self.assertEqual(ops["optimizer"]["calls"], 1)
        seconds = [one["seconds"] for one in profile.shares(rows, iterations)]
        self.assertEqual(seconds, sorted(seconds, reverse=True))

    def test_convolutions_in_the_order_of_the_network(self):
        rows, iterations = self.read(PROFILE)
        first, second = profile.convolutions(rows, iterations)
        self.assertEqual((first["layer"], first["calls"]), ("3x3, 3 -> 64 at 8x6", 2))
        self.assertAlmostEqual(first["forward"][0], 0.0015)  # with and without a fused ReLU
        self.assertEqual(first["forward"][1], 2 * 64 * 3 * 9 * 48)
        self.assertEqual(first["forward"][2], 4 * (3 * 48 + 64 * 3 * 9 + 64 + 64 * 48))
        self.assertAlmostEqual(first["backward"][0], 0.0015)
        self.assertEqual((second["layer"], second["backward"]), ("3x3, 64 -> 128 at 4x3", None))
        text = "\n".join(report.profile_lines({"iterations": 2, "ops": profile.shares(rows, 2), "convolutions": [first, second]},
                                             {"fma_gflops": 1, "copy_gbytes": 0.1, "triad_gbytes": 0.1}))
        self.assertRegex(text, r"30\.00% +3\.000 ms +1 x  gram forward +0\.0 GFLOP/s +0\.0 +9\.6\n")
        self.assertRegex(text, r"2 x  3x3, 3 -> 64 at 8x6 +1\.500 ms +0\.1 GFLOP/s +11\.1 +13\.\d +1\.500 ms +0\.1 GFLOP/s +11\.1 ")

    def test_no_profile(self):
        with self.assertRaisesRegex(ToolError, "not a profile"):
            self.read("a,b\n1,2\n")
        with self.assertRaisesRegex(ToolError, "without an iteration"):
            self.read("op,pass,shape,calls,seconds\n")
        with self.assertRaisesRegex(ToolError, "no such file"):
            profile.read(self.path.with_name("none.csv"))


class Pictures(unittest.TestCase):
    def test_both_files_hold_the_middle_square(self):
        with tempfile.TemporaryDirectory() as folder:
            wide = np.zeros((30, 50, 3), np.uint8)
            wide[:, 10:40] = (10, 200, 30)  # the middle square is of one colour
            Image.fromarray(wide).save(f"{folder}/wide.png")
            png, rgb = pictures.prepare(f"{folder}/wide.png", 16, folder, "content")
            with Image.open(png) as image:
                shown = np.asarray(image)
            self.assertEqual(shown.shape, (16, 16, 3))
            self.assertEqual(shown.tobytes(), rgb.read_bytes())
            self.assertTrue((shown == (10, 200, 30)).all())
            Image.fromarray(wide[:, :, 1]).save(f"{folder}/grey.png")
            self.assertEqual(pictures.square(f"{folder}/grey.png", 8).mode, "RGB")

    def test_bad_pictures(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(ToolError, "no such file"):
                pictures.square(f"{folder}/none.png", 16)
            Path(folder, "text.png").write_text("no picture")
            with self.assertRaisesRegex(ToolError, "not a picture"):
                pictures.square(f"{folder}/text.png", 16)


class Programs(unittest.TestCase):
    """Runs of fake programs, through the command line too."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = Path(holder.name)
        for name, text in (("style_transfer", PROGRAM.format(python=sys.executable, profile=PROFILE)), ("machine", MACHINE)):
            (self.dir / name).write_text(text)
            (self.dir / name).chmod(0o755)
        self.play_pytorch("style_transfer")
        Image.fromarray(np.arange(48 * 48 * 3, dtype=np.uint8).reshape(48, 48, 3)).save(self.dir / "picture.png")
        (self.dir / "weights").write_bytes(b"")

    def main(self, *words, env=None):
        """(exit status, stdout, stderr) of the command line."""
        command = ["nst", "--bin", self.dir, "--weights", self.dir / "weights", "--content", self.dir / "picture.png", *words]
        if "--torch-python" not in words:
            command += ["--torch-python", self.dir / "torch-python"]
        return self.command_line(command, env)

    @staticmethod
    def command_line(words, env=None):
        out, errors = io.StringIO(), io.StringIO()
        with mock.patch.object(sys, "argv", ["vs_pytorch.py", *map(str, words)]), mock.patch.dict(os.environ, env or {}), \
                contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            status = run_tool("vs_pytorch", vs_pytorch.main)
        return status, out.getvalue(), errors.getvalue()

    def play_pytorch(self, program):
        """A "Python with PyTorch": it drops the script's name and plays the program."""
        (self.dir / "torch-python").write_text(
            f'#!/bin/sh\nif [ "$1" = -c ]; then echo 9.9; else shift; exec {self.dir}/{program} "$@"; fi\n')
        (self.dir / "torch-python").chmod(0o755)

    def fails(self, message, *words, env=None):
        status, _, errors = self.main(*words, env=env)
        self.assertEqual(status, 1)
        self.assertEqual(len(errors.splitlines()), 1, errors)
        self.assertRegex(errors, f"^vs_pytorch: error: .*{message}")

    def test_a_run_is_followed(self):
        run = process.follow("fake", [self.dir / "style_transfer", "--iterations", 4, "--log", "LOG"])
        self.assertEqual(run.seconds, [0.25] * 4)
        self.assertEqual(run.totals, [1000, 500, 1000 / 3, 250])
        self.assertGreater(run.start_to_first, 0)
        self.assertGreater(run.peak_bytes, 1 << 20)

    def test_runs_that_fail(self):
        for env, message in (({"FAIL": "start"}, r"fake failed \(exit status 1\): fake: there is no picture"),
                             ({"FAIL": "end"}, "SIGKILL: out of memory")):
            with self.subTest(message), self.assertRaisesRegex(ToolError, message):
                process.follow("fake", [self.dir / "style_transfer", "--iterations", 2, "--log", "LOG"], env)
        with self.assertRaisesRegex(ToolError, "cannot start fake"):
            process.follow("fake", [self.dir / "none"])
        with self.assertRaisesRegex(ToolError, "no iteration"):
            process.follow("fake", ["true"])
        with self.assertRaisesRegex(ToolError, "no seconds and total"):
            process.follow("fake", ["sh", "-c", "printf 'a,b\\n1,2\\n' > $0", "LOG"])

    def test_everything_is_reported(self):
        status, out, errors = self.main("--sizes", 32, 16, "--iterations", 6, "--timing-iterations", 3, "--repeats", 2,
                                        "--json", self.dir / "out.json")
        self.assertEqual((status, errors), (0, ""))
        result = json.loads((self.dir / "out.json").read_text())
        self.assertEqual([one["size"] for one in result["sizes"]], [16, 32])
        self.assertEqual(result["machine"]["fma_gflops"], 100)
        self.assertEqual(result["versions"]["torch"], "9.9")
        one = result["sizes"][0]
        self.assertEqual(set(one["sides"]), {"ours", *nst.MODES})
        self.assertEqual([len(run["seconds"]) for run in one["runs"]["eager"]], [6, 3])
        self.assertEqual([len(run["seconds"]) for run in one["runs"]["compile+kept"]], [3, 3])
        self.assertEqual(one["loss_distance"]["compile"], 0)
        self.assertEqual(one["sides"]["eager"]["peak_bytes"]["median"], 4e6)
        for text in ("16x16: median", "32x32: median", "PyTorch bf16_compile+kept", "limits, 2 threads: 100.0 GFLOP/s", "gram forward",
                     "3x3, 3 -> 64 at 8x6"):
            self.assertIn(text, out)

    def test_a_gan(self):
        os.link(self.dir / "style_transfer", self.dir / "gan")
        words = ["gan", "--bin", self.dir, *self.all_rivals(), "--iterations", 4, "--repeats", 2,
                 "--json", self.dir / "out.json"]
        status, out, errors = self.command_line(words)
        self.assertEqual(status, 0, errors)
        result = json.loads((self.dir / "out.json").read_text())
        self.assertEqual(set(result["sides"]), {"ours", *gan.MODES})
        self.assertEqual(result["sides"]["compile"]["iteration"], {"median": 0.25, "least": 0.25, "most": 0.25})
        self.assertEqual(result["sides"]["fused"]["peak_bytes"]["median"], 4e6)
        self.assertEqual(result["against_best"]["iteration"]["ratio"], 1)
        self.assertEqual(result["versions"]["JAX"], "9.9")
        self.assertRegex(out, r"PyTorch compile +250\.00 \[250\.00 … 250\.00\] +1\.00 +3\.1 +\d+\.\d +520\.833 ")
        self.assertRegex(out, r"(?m)^JAX jit +250\.00 ")
        self.assertRegex(out, r"(?m)^TensorFlow xla +250\.00 ")
        self.assertIn("an iteration 1.00 times faster", out)
        status, _, errors = self.command_line([*words, "--modes", "eager"], {"FAIL": "start"})
        self.assertEqual(status, 1)
        self.assertIn("failed (exit status 1): fake: there is no picture", errors)

    def test_a_stylegan(self):
        os.link(self.dir / "style_transfer", self.dir / "stylegan_step")
        words = ["stylegan", "--bin", self.dir, *self.all_rivals(("PyTorch", "TensorFlow")), "--iterations", 4, "--repeats", 2,
                 "--json", self.dir / "out.json"]
        status, out, errors = self.command_line(words)
        self.assertEqual(status, 0, errors)
        step, made = json.loads((self.dir / "out.json").read_text())["works"]
        self.assertEqual((step["work"], made["work"]), stylegan.WORKS)
        self.assertEqual(set(step["sides"]), {"ours", "eager", "channels_last", "compile", "compile_channels_last"})
        self.assertEqual(set(made["sides"]), {"ours", *stylegan.MODES})
        self.assertEqual(step["sides"]["compile"]["iteration"], {"median": 0.25, "least": 0.25, "most": 0.25})
        self.assertRegex(out, r"(?m)^PyTorch channels_last +250\.0 \[250\.0 … 250\.0\] +1\.00 ")
        self.assertRegex(out, r"(?m)^TensorFlow xla +250\.0 ")
        words = [*words, "--modes", "eager", "--works", "step", "--iterations", 25]
        status, out, errors = self.command_line(words, {"DRIFT": "0.2"})
        self.assertEqual((status, errors), (1, "vs_pytorch: error: the totals do not agree: step PyTorch eager\n"))

    def test_a_gan_whose_losses_are_others(self):
        os.link(self.dir / "style_transfer", self.dir / "gan")
        words = ["gan", "--bin", self.dir, *self.all_rivals(), "--iterations", 25, "--repeats", 1, "--modes", "jax"]
        status, out, errors = self.command_line(words, {"DRIFT": "0.05"})
        self.assertEqual((status, errors), (1, "vs_pytorch: error: the losses do not agree within 10%: JAX jit\n"))
        self.assertIn("FAIL: the losses of JAX jit", out)
        self.assertEqual(self.command_line(words, {"DRIFT": "0.001"})[0], 0)

    def all_rivals(self, names=tuple(rivals.RIVALS)):
        return [word for name in names for word in (rivals.RIVALS[name].option, self.dir / "torch-python")]

    def test_beside_busy_programs(self):
        os.link(self.dir / "style_transfer", self.dir / "gan")
        status, out, errors = self.command_line([
            "neighbours", "--bin", self.dir, "--against", self.dir, "--torch-python", self.dir / "torch-python", "--repeats", 1, "--busy", 0, 2,
            "--size", 16, "--weights", self.dir / "weights", "--content", self.dir / "picture.png", "--nst-iterations", 3,
            "--gan-iterations", 4, "--json", self.dir / "out.json"])
        self.assertEqual((status, errors), (0, ""))
        tasks = json.loads((self.dir / "out.json").read_text())["neighbours"]
        self.assertEqual(list(tasks), ["style transfer 16x16", "GAN step"])
        for mode, task in zip(("channels_last", "fused"), tasks.values()):
            self.assertEqual(list(task["sides"]), ["ours", str(self.dir), f"PyTorch {mode}"])
            self.assertEqual(task["sides"]["ours"], {count: {"median": 0.25, "least": 0.25, "most": 0.25} for count in ("0", "2")})
        self.assertRegex(out, r"(?m)^PyTorch fused +250\.00 \[250\.00 … 250\.00\] +1\.00 +3\.1 +\d+\.\d +250\.00 ")

    def test_busy_loops_are_busy_and_end(self):
        with mock.patch("subprocess.Popen", wraps=subprocess.Popen) as start, neighbours.busy_loops(2):
            self.assertEqual(start.call_count, 2)
        with mock.patch.object(neighbours, "BUSY", "pass"), self.assertRaisesRegex(ToolError, "has ended"), neighbours.busy_loops(1):
            time.sleep(0.5)

    def test_a_mean_sees_stalls(self):
        self.assertEqual(neighbours.seconds_of(Run([9, 9, 1, 1, 4])), 2)

    def test_the_quality_of_gans(self):
        """Fake samples hold the name of who made them; the fake judge prefers seed 1."""
        (self.dir / "mnist_gan").write_text(JUDGE.format(python=sys.executable))
        (self.dir / "mnist_gan").chmod(0o755)
        self.play_pytorch("mnist_gan pytorch")
        words = ["gan", "--quality", "--bin", self.dir, "--torch-python", self.dir / "torch-python", "--data", self.dir, "--seeds", 1, 2,
                 "--json", self.dir / "out.json"]
        status, out, errors = self.command_line([*words, "--count", 100])
        self.assertEqual(status, 0, errors)
        quality = json.loads((self.dir / "out.json").read_text())["quality"]
        self.assertEqual([(run["seed"], run["frechet"]) for run in quality["ours"]], [(1, 10), (2, 20)])
        self.assertEqual([(run["seed"], run["frechet"]) for run in quality["pytorch"]], [(1, 11), (2, 21)])
        self.assertRegex(out, r"pytorch +2 +21\.00 +0\.900 +10\.0 +30\.0")
        self.assertIn("ours: Fréchet distance 15.00 ± 7.07", out)
        self.assertEqual((self.dir / "classifiers").read_text(), "trained\n", "one classifier judges all")
        status, _, errors = self.command_line(words, {"FAIL": "train"})
        self.assertEqual(status, 1)
        self.assertIn("mnist_gan failed (1): fake: no data", errors)

    def test_losses_that_drift_apart_fail(self):
        words = ("--sizes", 16, "--repeats", 1, "--json", self.dir / "out.json", "--modes", "channels_last", "bf16", "--iterations")
        status, out, errors = self.main(*words, 20, env={"DRIFT": "0.001"})
        self.assertEqual(status, 1)
        self.assertEqual(errors, "vs_pytorch: error: the losses do not agree within 1%: 16x16 channels_last\n")
        self.assertIn("FAIL", out)
        self.assertTrue((self.dir / "out.json").exists(), "what was measured is kept")
        self.assertEqual(self.main(*words, 9, env={"DRIFT": "0.001"})[0], 0)

    def test_errors_are_one_line(self):
        few = ("--sizes", 16, "--modes", "eager", "--repeats", 1, "--iterations", 3)
        self.fails("both sides did not get the same pictures", *few, env={"STYLE_INPUT": "other"})
        self.fails("style_transfer failed .*no picture", *few, env={"FAIL": "start"})
        self.fails("none.png: no such file", *few, "--style", self.dir / "none.png")
        self.fails("cannot import torch", *few, "--torch-python", "/bin/false")
        self.fails("no such file", *few, "--torch-python", self.dir / "none")
        self.fails("weights.* is not there; make it", *few, "--weights", self.dir / "no-weights")
        self.fails("style_transfer is not there; build it", *few, "--bin", self.dir / "nowhere")
        self.fails("it is a folder", *few, "--json", self.dir)
        self.fails("weights is not a folder", *few, "--json", self.dir / "weights" / "x.json")
        (self.dir / "machine").write_text("#!/bin/sh\necho broken >&2; exit 3\n")
        self.fails(r"machine failed \(exit status 3\): broken", *few)

    def test_bad_command_lines(self):
        for words in (("nst", "--sizes", "8"), ("nst", "--sizes", "x"), ("nst", "--iterations", "0"), ("nst", "--modes", "fast"),
                      ("nst", "--isa", "sse"), ("nst", "--plot", "x.svg"), ("gan", "--quality"),
                      ("gan", "--quality", "--data", "x", "--isa", "avx2")):
            with self.subTest(words), contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as stop:
                vs_pytorch.arguments_of(words)
            self.assertEqual(stop.exception.code, 2)

    def test_scaling(self):
        words = ["--scaling", "--sizes", 16, 32, 64, "--repeats", 2, "--timing-iterations", 3, "--json", self.dir / "out.json"]
        drawn = bool(shutil.which("gnuplot"))
        status, out, _ = self.main(*words, *(("--plot", self.dir / "plot.svg") if drawn else ()), "--torch-python", "/bin/false")
        self.assertEqual(status, 0)
        points = json.loads((self.dir / "out.json").read_text())["scaling"]
        self.assertEqual([(point["size"], point["runs"]) for point in points], [(16, 2), (32, 2), (64, 2)])
        self.assertRegex(out, r"64x64 +0\.2500 ")
        if drawn:
            self.assertTrue(xml.etree.ElementTree.parse(self.dir / "plot.svg").getroot().tag.endswith("svg"))

    def test_narrower_vectors_for_both_sides(self):
        env = machine.NARROWER["avx2"]
        programs = nst.Programs(self.dir, "python", "weights", 3, env)
        with mock.patch.object(nst, "follow") as follow:
            follow.return_value = Run(output='{"peak_bytes": 1, "cuda_library_bytes": 0, "inputs": []}')
            programs.ours(16, "c.png", "s.png", 3, self.dir)
            programs.theirs("compile+kept", 16, "c.rgb", "s.rgb", 3)
        (_, ours, ours_env), (_, theirs, theirs_env) = (call.args for call in follow.call_args_list)
        self.assertEqual(theirs[theirs.index("--mode") + 1], "compile")
        for environment in (ours_env, theirs_env):
            self.assertEqual((environment["OMP_NUM_THREADS"], environment["ONEDNN_MAX_CPU_ISA"]), ("3", "AVX2"))
        self.assertIn("MALLOC_MMAP_MAX_", theirs_env)
        self.assertNotIn("MALLOC_MMAP_MAX_", ours_env)


class Machine(unittest.TestCase):
    def test_loads_are_noted(self):
        one = {"cpu": "X", "cores": 2, "memory_gbytes": 8, "isa": "avx2", "threads": 2, "fma_gflops": 1.0, "copy_gbytes": 1.0, "triad_gbytes": 1.0}
        self.assertNotIn("NOTE", "".join(report.machine_lines({**one, "load_before": 0.1})))
        self.assertIn("not to be trusted", "".join(report.machine_lines({**one, "load_before": 3.0})))

    def test_not_a_number_becomes_null(self):
        self.assertEqual(vs_pytorch.finite({"a": [1.0, math.inf], "b": (math.nan, "x")}), {"a": [1.0, None], "b": [None, "x"]})


class Scaling(unittest.TestCase):
    def test_a_title_cannot_leave_its_quotes(self):
        figure = {"median": 1.0, "least": 0.9, "most": 1.1}
        script = scaling.plot_script([{"size": 100, "iteration": figure, "peak_bytes": figure}], "it's")
        self.assertIn("'it''s'", script)


if __name__ == "__main__":
    unittest.main()
