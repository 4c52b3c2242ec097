# SPDX-License-Identifier: MIT
"""The program lily_op_tests: its lines and its exit status. What it checks is tested by the suites of the framework."""

import os
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")) / "lily_op_tests"


def run_program(*options, **environment):
    return subprocess.run([str(PROGRAM), *options], capture_output=True, text=True, timeout=600, env={**os.environ, **environment})


class LilyOpTestsTest(unittest.TestCase):
    def test_a_line_per_op_and_the_sum(self):
        for device, title in (("cpu", "CPU"), ("simt", "SIMT")):
            result = run_program("--device", device, "--filter", "softmax")
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            lines = result.stdout.splitlines()
            self.assertTrue(lines[0].startswith(f"{title}: "), lines[0])
            self.assertRegex(lines[1], r"^ok   log_softmax +\d+ cases +\d+\.\d+ s$")
            self.assertRegex(lines[2], r"^ok   softmax +\d+ cases +\d+\.\d+ s$")
            self.assertRegex(lines[3], rf"^2 ops, \d+ cases on {title}: 0 failed$")

    def test_a_wrong_op_fails(self):
        result = run_program("--device", "cpu", "--filter", "softmax", "--with-a-wrong-op")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertRegex(result.stdout, r"\nFAIL wrong +1 cases .* 1 failed; wrong softmax: ")
        self.assertRegex(result.stdout, r"\n3 ops, \d+ cases on CPU: 1 failed\n")

    def test_a_gpu_that_does_no_work_computes_nothing(self):
        result = run_program("--device", "simt", "--filter", "softmax", LILY_SIMT_RUN="off")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertRegex(result.stdout, r"FAIL softmax .*; softmax.* instead of ")

    def test_nothing_to_run_is_a_failure(self):
        result = run_program("--device", "cpu", "--filter", "no such op")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "lily_op_tests: no case has 'no such op' in its name\n")


if __name__ == "__main__":
    unittest.main()
