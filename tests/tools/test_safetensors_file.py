# SPDX-License-Identifier: MIT
"""The reader of safetensors headers: the verdicts of the format's own library, as the golden file has them."""

import struct
import sys
import tempfile
import unittest
from pathlib import Path

from torch_files import TOOLS, np

sys.path.insert(0, str(TOOLS.parent / "tests" / "golden"))

import make_safetensors_headers as golden
from safetensors_file import load_tensors, read_header, read_safetensors, write_safetensors
from toolkit import ToolError


class Headers(unittest.TestCase):
    def test_verdicts_of_the_library(self):
        lines = list(golden.read_lines(golden.GOLDEN.read_text()))
        self.assertGreater(len(lines), 150)
        for theirs, data_bytes, why, header in lines:
            with self.subTest(header=header, data_bytes=data_bytes):
                self.assertEqual(golden.ours(header, data_bytes) is None, theirs and why == "-")
        self.assertEqual({why for _, _, why, _ in lines}, {"-", *golden.STRICTER.values()})

    def test_what_is_committed_is_what_the_script_makes(self):
        made = list(dict.fromkeys(golden.headers(golden.COMMITTED)))
        self.assertEqual([(header, data) for _, data, _, header in golden.read_lines(golden.GOLDEN.read_text())], made)

    def test_mutations_give_a_verdict(self):
        wrong = sum(golden.ours(*made) is not None for made in golden.headers(2000, seed=1))
        self.assertTrue(500 < wrong < 1900, wrong)


class Files(unittest.TestCase):
    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)
        self.path = Path(self.holder.name) / "a.safetensors"

    def test_text_behind_a_nul_is_refused(self):
        write_safetensors(self.path, {"w": np.ones(2, "<f4")}, {})
        data = self.path.read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = data[8:8 + length].rstrip() + b"\0, more"
        self.path.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + length:])
        with self.assertRaisesRegex(ToolError, "damaged"):
            read_header(self.path)

    def test_dtypes(self):
        header = b'{"h":{"dtype":"F16","shape":[2],"data_offsets":[4,8]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},'
        header += b'"i":{"dtype":"I16","shape":[],"data_offsets":[8,10]}}'
        data = struct.pack("<4H", 0x3F80, 0xC049, 0x3C01, 0xFC00) + b"\1\0"
        self.path.write_bytes(struct.pack("<Q", len(header)) + header + data)
        found = load_tensors(self.path, ["h", "b"])
        np.testing.assert_array_equal(found["h"], np.float16([1 + 2**-10, -np.inf]))
        np.testing.assert_array_equal(found["b"], np.float32([1, -3.140625]))
        with self.assertRaisesRegex(ToolError, "tensor i is I16"):
            read_safetensors(self.path)


if __name__ == "__main__":
    unittest.main()
