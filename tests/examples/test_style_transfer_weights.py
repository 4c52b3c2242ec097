# SPDX-License-Identifier: MIT
"""The program style_transfer with weights that tools/convert_vgg19.py did not make."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("LILY_BIN", ROOT / "build/release/bin")) / "style_transfer"
WEIGHTS = ROOT / "weights/vgg19.safetensors"


@unittest.skipUnless(WEIGHTS.exists(), "weights/vgg19.safetensors is not there: run tools/convert_vgg19.py")
class Weights(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = Path(self.folder.name)
        noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(noise).save(self.dir / "picture.png")

    def notes(self, path, *options, code=0):
        """The lines on stderr that begin with "note: ", or the last one of a program that fails."""
        picture = self.dir / "picture.png"
        command = [PROGRAM, "--content", picture, "--style", picture, "--output", self.dir / "out.png", "--size", 32, "--iterations", 1,
                   "--weights", path, *options]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return [line for line in done.stderr.splitlines() if line.startswith("note: ")] if code == 0 else done.stderr.splitlines()[-1:]

    def command_for(self, path):
        return f"build/venv/bin/python tools/convert_vgg19.py '{path}' -o '{path.with_suffix('')}-normalised.safetensors'"

    def test_torchvisions_in_f16_run_with_a_note(self):
        whole = WEIGHTS.read_bytes()
        start = 8 + int.from_bytes(whole[:8], "little")
        header = json.loads(whole[8:start])
        header["__metadata__"] = {"format": "pt"}
        for name in header.keys() - {"__metadata__"}:
            header[name]["dtype"] = "F16"
            header[name]["data_offsets"] = [offset // 2 for offset in header[name]["data_offsets"]]
        text = json.dumps(header).encode()
        path = self.dir / "torchvision.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + np.frombuffer(whole, "<f4", offset=start).astype("<f2").tobytes())
        notes = self.notes(path)
        self.assertEqual(len(notes), 1, notes)
        self.assertTrue(notes[0].endswith(self.command_for(path)), notes)
        self.assertEqual(self.notes(path, "--quiet"), [])
        self.assertEqual(self.notes(WEIGHTS), [])

    def test_files_of_pytorch_and_keras_are_answered_with_the_command(self):
        for name, start in (("a.pth", b"PK\x03\x04"), ("b.pt", b"\x80\x02\x8a\x0a"), ("c.keras", b"PK\x03\x04"), ("d.h5", b"\x89HDF\r\n\x1a\n")):
            path = self.dir / name
            path.write_bytes(start)
            self.assertTrue(self.notes(path, code=1)[0].endswith(self.command_for(path)))


if __name__ == "__main__":
    unittest.main()
