# SPDX-License-Identifier: MIT
"""The program lily_info: what it says with and without a GPU."""

import os
import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")) / "lily_info"


def run_program(*options, **environment):
    return subprocess.run([str(PROGRAM), *options], capture_output=True, text=True, timeout=120, env={**os.environ, **environment})


class LilyInfoTest(unittest.TestCase):
    def test_it_names_the_versions_and_every_device(self):
        result = run_program()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"^lily  \d+\.\d+\.\d+, ")
        self.assertRegex(result.stdout, r"\nCPU   .*: (baseline|avx2|avx512), \d+ threads\n")
        self.assertRegex(result.stdout, r"\n      oneDNN \d+\.\d+\.\d+, ")
        self.assertRegex(result.stdout, r"\nCUDA  (built with toolkit|not in this build)")
        self.assertRegex(result.stdout, r"\nSIMT  ")
        self.assertRegex(
            result.stdout,
            r"\nreads PNG, JPEG, BMP, TGA, GIF; "
            r"(WebP \d+\.\d+\.\d+|no WebP \(install libwebp-dev and build again\)); "
            r"(TIFF \d+\.\d+\.\d+|no TIFF \(install libtiff-dev and build again\))\n",
        )
        self.assertRegex(result.stdout, r"\n--device auto takes (CPU|CUDA): .+\n$")

    def test_a_cuda_build_says_why_there_is_no_cuda_device(self):
        result = run_program()
        if "CUDA  built with" not in result.stdout or "takes CUDA" in result.stdout:
            self.skipTest("this build has no CUDA device, or can use it")
        reason = re.search(r"\n      cannot be used: (.+)\n", result.stdout)[1]
        self.assertIn(f"--device auto takes CPU: {reason}\n", result.stdout)
        self.assertRegex(result.stdout, r"toolkit 1\d\.\d, code for (\d+\.\d, )*\d+\.\d; driver: ")

    def test_a_required_device_that_is_not_there_fails_in_one_line(self):
        self.assertEqual(run_program("--require", "cpu").returncode, 0)
        if "takes CPU" in run_program().stdout:
            result = run_program("--require", "cuda")
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, r"^lily_info: \[device\] .+\n$")
        self.assertNotEqual(run_program("--require", "tpu").returncode, 0)

    def test_a_software_gpu_that_there_is_none_of_is_no_device(self):
        if "SIMT  not in this build" in run_program().stdout:
            self.skipTest("this build has no software GPU")
        self.assertEqual(run_program("--require", "simt", LILY_SIMT_GPU="A100").returncode, 0)
        result = run_program("--require", "simt", LILY_SIMT_GPU="TNT2")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^simt: LILY_SIMT_GPU: the software GPU knows .*, but no TNT2\nlily_info: \[device\] .+\n$")

    def test_a_full_disk_is_told(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([str(PROGRAM)], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
        self.assertEqual((result.returncode, result.stderr), (1, "lily_info: cannot write to stdout: No space left on device\n"))

    def test_the_instruction_set_can_be_limited_and_a_wrong_word_is_an_error(self):
        self.assertIn(": baseline, ", run_program(LILY_CPU_ISA="baseline").stdout)
        self.assertEqual(run_program(LILY_CPU_ISA="").stdout, run_program().stdout)
        result = run_program(LILY_CPU_ISA="avx3")
        self.assertEqual(result.returncode, 1)
        self.assertIn("[cpu] expected LILY_CPU_ISA=baseline, avx2 or avx512, got 'avx3'", result.stderr)


if __name__ == "__main__":
    unittest.main()
