# SPDX-License-Identifier: MIT
"""What the tests of style_transfer share: pictures, and ways to run the program."""

import csv
import os
import resource
import subprocess
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path

import numpy as np
from common import heed_signals
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")).resolve()
PROGRAM = BIN / "style_transfer"
WEIGHTS = ROOT / "weights/vgg19.safetensors"

heed_signals()


def wave_picture(height, width, seed):
    """RGB bytes with edges, waves and grain."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    waves = 110 + 60 * np.sin((x * (1 + c) + y * seed) / 9) + 50 * ((x + 2 * y + 13 * seed) // 24 % 2)
    return np.clip(waves + np.random.default_rng(seed).integers(-12, 12, waves.shape), 0, 255).astype(np.uint8)


class StyleTransferCase(unittest.TestCase):
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

    def wait_for_rows(self, process, log, count):
        for _ in range(1500):
            if process.poll() is not None:
                self.fail(f"ended too early: {process.communicate()[1]}")
            if (self.dir / log).exists() and len((self.dir / log).read_text().splitlines()) > count:
                return
            time.sleep(0.02)
        self.fail("the program made no progress")
