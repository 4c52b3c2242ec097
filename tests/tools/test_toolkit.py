# SPDX-License-Identifier: MIT
"""tools/toolkit.py: numbers of options, and files of any legal name."""

import argparse
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import toolkit  # noqa: E402


class WholeNumber(unittest.TestCase):
    def test_bounds(self):
        parse = toolkit.whole_number(1, 50)
        self.assertEqual([parse("1"), parse("50"), toolkit.whole_number(0)("123456789012345678901")], [1, 50, 123456789012345678901])
        for text, said in (("0", "expected 1 to 50, got 0"), ("51", "expected 1 to 50, got 51"), ("-3", "expected 1 to 50, got -3"),
                           ("x", "expected a whole number, 1 to 50, got x"), ("2.5", "expected a whole number, 1 to 50, got 2.5"),
                           ("nan", "expected a whole number, 1 to 50, got nan"), ("", "expected a whole number, 1 to 50, got nothing"),
                           ("9" * 300, f"expected 1 to 50, got {'9' * 40}...")):
            with self.assertRaises(argparse.ArgumentTypeError) as caught:
                parse(text)
            self.assertEqual(str(caught.exception), said)

    def test_programs(self):
        for program, options in (("tools/paint_lily_pond.py", (("--size", "63"), ("--size", "x"), ("--seed", "-1"))),
                                 ("benchmarks/vs_pytorch.py", (("--sizes", "15"), ("--repeats", "0"), ("--threads", "none"), ("--iterations", "-2")))):
            for name, value in options:
                command = [sys.executable, ROOT / program, *(["nst"] if "vs_" in program else []), name, value]
                result = subprocess.run(command, capture_output=True, text=True)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertRegex(result.stderr.splitlines()[-1], rf"error: argument {name}: expected .*, got {value}$")


class WriteWhole(unittest.TestCase):
    def test_the_longest_names(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("x" * 255, "é" * 127):
                path = Path(folder) / name
                toolkit.write_whole(path, [b"one", b"two"])
                self.assertEqual(path.read_bytes(), b"onetwo")
            self.assertEqual(len(list(Path(folder).iterdir())), 2)


if __name__ == "__main__":
    unittest.main()
