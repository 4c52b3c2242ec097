# SPDX-License-Identifier: MIT
"""What benchmarks/vs_pytorch.py compares us with, and by which measure."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch_files  # noqa: F401  (puts tools/ on the path)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from compare import gan, rivals, stylegan, work  # noqa: E402
from toolkit import ToolError  # noqa: E402


class Rivals(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.venv = Path(holder.name) / "build" / "torch-venv"
        self.log = []
        patch = mock.patch.object(rivals, "ROOT", Path(holder.name))
        patch.start()
        self.addCleanup(patch.stop)

    def test_made_once_after_saying_so(self):
        commands = []

        def run(command, **_):
            commands.append([str(word) for word in command])
            if "venv" in commands[-1]:
                self.assertIn("installing into build/torch-venv", self.log[0])
                (self.venv / "bin").mkdir(parents=True)
                (self.venv / "bin" / "python").touch()
            return subprocess.CompletedProcess(command, 0, "2.99.0\n", "")

        with mock.patch("subprocess.run", run):
            self.assertEqual(rivals.find("PyTorch", None, self.log.append), (self.venv / "bin" / "python", "2.99.0"))
            self.assertEqual(rivals.find("PyTorch", None, self.log.append)[1], "2.99.0")
        self.assertEqual(len(self.log), 1)
        self.assertEqual(sum("pip" in command for command in commands), 1)

    def test_a_failed_installation_leaves_nothing(self):
        def run(command, **_):
            self.venv.mkdir(parents=True, exist_ok=True)
            return subprocess.CompletedProcess(command, int("pip" in command), "", "ERROR: one\nERROR: no network\n")

        with mock.patch("subprocess.run", run), self.assertRaisesRegex(ToolError, "cannot install PyTorch: ERROR: no network; check"):
            rivals.find("PyTorch", None, self.log.append)
        self.assertFalse(self.venv.exists())

    def test_what_is_not_pytorch_is_pinned(self):
        for name in ("JAX", "TensorFlow"):
            for package in rivals.RIVALS[name].packages:
                self.assertRegex(package, r"^[a-z-]+==[0-9.]+$")


class Works(unittest.TestCase):
    def test_a_product(self):
        self.assertEqual(work.product(2, 3, 5), work.Work(60, 4 * (6 + 10 + 15)))

    def test_the_step_of_a_gan(self):
        """2 per weight and row: D forward on 128 and 64 rows, its two gradients, and so on; 7 floats of Adam per parameter."""
        d, g, parameters = 569376, 573440, 569376 + 929 + 573440 + 1680
        first_d, first_g = 784 * 512, 64 * 128
        step = gan.step_work()
        self.assertEqual(step.flops, 2 * (128 * (3 * d - first_d) + 64 * (2 * d + 4 * g - first_g)))
        self.assertGreater(step.bytes, 28 * parameters)
        self.assertLess(step.bytes, 28 * parameters * 3)

    def test_the_works_of_a_stylegan(self):
        """A multiplication and an addition per weight and place."""
        layers = 8 * 128 * 128 + 2 * 128 * 2 * (128 + 128 + 64 + 32)  # the mapping network's and the styles'
        convs = 9 * (128 * 128 * 16 + 2 * 128 * 128 * 64 + (128 + 64) * 64 * 256 + (64 + 32) * 32 * 1024) + 32 * 3 * 1024
        self.assertEqual(stylegan.work_of("pictures").flops, 2 * 64 * (layers + convs))
        d = 3 * 32 * 1024 + 9 * ((32 + 64) * 32 * 1024 + (64 + 128) * 64 * 256 + 2 * 128 * 128 * 64 + 129 * 128 * 16) + 2048 * 128
        self.assertEqual(stylegan.work_of("step").flops, 2 * 32 * (11 * d + 4 * (layers + convs)))

    def test_parts_of_the_limits(self):
        limits = {"fma_gflops": 100, "copy_gbytes": 10, "triad_gbytes": 20}
        self.assertEqual(work.parts(work.Work(25e9, 5e9), 0.5, limits).split(), ["50.0", "50.0"])
        self.assertEqual(work.parts(work.Work(25e9, 5e9), 0, limits).split(), ["-", "-"])
        self.assertEqual(len(work.parts(work.Work(1, 1), 1, limits)), len(work.HEADER))


if __name__ == "__main__":
    unittest.main()
