# SPDX-License-Identifier: MIT
"""tools/gpu_check.sh without a GPU, and tools/simt_counts.py on counts that are known."""

import glob
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import simt_counts  # noqa: E402
from toolkit import ToolError  # noqa: E402


class GpuCheckTest(unittest.TestCase):
    def fails(self, message, *options):
        result = subprocess.run(["bash", str(ROOT / "tools/gpu_check.sh"), *options], capture_output=True, text=True, timeout=60)
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        self.assertRegex(result.stderr, rf"^gpu_check: {message}.*\n$")

    @unittest.skipIf(glob.glob("/dev/nvidia[0-9]*") or Path("/dev/dxg").exists(), "there is a GPU here")
    def test_without_a_gpu_it_says_so_in_one_line(self):
        self.fails("there is no NVIDIA GPU here")

    def test_mistakes_on_the_command_line(self):
        self.fails("expected --device cuda or simt, got 'tpu'", "--device", "tpu")
        self.fails("unknown option --fast", "--fast")
        self.fails("--output needs a value", "--device=simt", "--output")
        self.fails("/no/such is no folder", "--device", "simt", "--output=/no/such/report.md")


class SimtCountsTest(unittest.TestCase):
    def summary(self, *files, used=("cudaMalloc", "cublasCreate")):
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(simt_counts, "functions_in", lambda _: set(used)):
            for number, text in enumerate(files):
                (Path(folder) / f"{number}.txt").write_text(text)
            return simt_counts.summary(folder, "")

    def test_programs_add_up(self):
        line, missing = self.summary("compiled a_kernel<int, float>\ncompiled b_kernel\nlaunches 3 b_kernel\ncalls 1 cudaMalloc\n",
                                     "compiled b_kernel\nlaunches 1 a_kernel<int, float>\ncalls 2 cublasCreate_v2\ncalls 1 cudaFree\n")
        self.assertEqual(line, "2 kernels compiled, 2 executed; 2 functions of the CUDA API used, 2 executed")
        self.assertEqual(missing, [])

    def test_what_never_ran_is_named(self):
        line, missing = self.summary("compiled a_kernel\ncompiled b_kernel\nlaunches 3 b_kernel\ncalls 1 cudaMalloc\n")
        self.assertEqual(line, "2 kernels compiled, 1 executed; 2 functions of the CUDA API used, 1 executed")
        self.assertEqual(missing, ["the kernel a_kernel never ran", "the function cublasCreate was never called"])

    def test_nothing_counted_is_an_error(self):
        for files in ((), ("calls 1 cudaMalloc\n",), ("compiled a_kernel\nnonsense\n",)):
            with self.assertRaises(ToolError):
                self.summary(*files)
        with self.assertRaises(ToolError):
            self.summary("compiled a_kernel\nlaunches 1 a_kernel\n", used=())


if __name__ == "__main__":
    unittest.main()
