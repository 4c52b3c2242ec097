# SPDX-License-Identifier: MIT
"""Data sets in MNIST's format, from folders, addresses and packages that the test plays; no network."""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import downloads
import fetch_data
import idx_sets
import torch_files  # noqa: F401  (puts tools/ on the path)
from toolkit import ToolError

FILES = {f"{part}.gz": f"bytes of {part}".encode() for part in ("train-images", "train-labels", "t10k-images", "t10k-labels")}
PINS = {"title": "Shapes", "licence": "CC0", "package": "shapes", "package_size": 9, "folder": "/nowhere/shapes",
        "files": [{"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in FILES.items()]}
ARCHIVED = {**PINS, "sdist": {"name": "shapes-dir", "version": "1", "size": 9, "licence": "CC0", "sha256": "0" * 64}, "files": [
    {**pin, "plain": {"name": pin["name"][:-3], "member": pin["name"].replace("-", ".")[:-3], "size": 2 * pin["size"],
                      "sha256": hashlib.sha256(2 * FILES[pin["name"]]).hexdigest()}} for pin in PINS["files"]]}


def tar_bytes(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"./nowhere/shapes/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


class IdxSets(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = Path(holder.name)
        self.to, self.cache, self.mirror = self.dir / "to", self.dir / "cache", self.dir / "mirror"
        self.mirror.mkdir()
        for name, data in FILES.items():
            (self.mirror / name).write_bytes(data)
        self.lines = []

    def fetch(self, pins=PINS, source=None):
        idx_sets.fetch(pins, SimpleNamespace(to=self.to, cache=self.cache, source=source), self.lines.append)

    def check_files(self):
        self.assertEqual({p.name: p.read_bytes() for p in self.to.iterdir()}, FILES)

    def apt(self, files=FILES, status=0, name="shapes_1_all.deb"):
        def run(command, cwd=None, **_):
            if command[0] == "apt-get":
                if name:
                    Path(cwd, name).write_bytes(b"a package")
                return subprocess.CompletedProcess(command, status, "", "E: no network")
            return subprocess.CompletedProcess(command, 0, tar_bytes(files) if files is not None else b"rubbish", "")

        return mock.patch.multiple("idx_sets.subprocess", run=run), mock.patch("shutil.which", lambda name: f"/bin/{name}")

    def test_folder(self):
        self.fetch(source=str(self.mirror))
        self.check_files()
        self.assertIn("CC0", self.lines[-1])
        (self.to / "train-labels.gz").write_bytes(b"changed")
        (self.mirror / "train-images.gz").unlink()  # there already: not asked for again
        self.fetch(source=str(self.mirror))
        self.check_files()

    def test_address(self):
        self.fetch(source=self.mirror.as_uri() + "/")
        self.check_files()
        with self.assertRaisesRegex(ToolError, "cannot download file://"):
            self.to = self.dir / "other"
            self.fetch(source=(self.dir / "none").as_uri())

    def test_wrong_files_change_nothing(self):
        (self.mirror / "t10k-labels.gz").write_bytes(b"bytes of t10k-lapels")
        with self.assertRaisesRegex(ToolError, "t10k-labels.gz has 20 bytes, expected 20|sha256 of t10k-labels.gz is"):
            self.fetch(source=str(self.mirror))
        (self.mirror / "t10k-labels.gz").write_bytes(b"short")
        with self.assertRaisesRegex(ToolError, "has 5 bytes, expected 20"):
            self.fetch(source=self.mirror.as_uri())
        (self.mirror / "t10k-labels.gz").unlink()
        with self.assertRaisesRegex(ToolError, "cannot read .*t10k-labels.gz: no such file"):
            self.fetch(source=str(self.mirror))
        self.assertFalse(self.to.exists())

    def test_package(self):
        run, which = self.apt()
        with run, which:
            self.fetch()
        self.check_files()
        self.assertEqual(list(self.cache.iterdir()), [])

    def test_installed_package(self):
        self.fetch({**PINS, "folder": str(self.mirror)})
        self.check_files()

    def test_package_fails(self):
        for arguments, words in (({"status": 100, "name": None}, "apt-get cannot download shapes: E: no network"),
                                 ({"files": {}}, "damaged or without the files"), ({"files": None}, "damaged or without the files"),
                                 ({"files": {**FILES, "train-labels.gz": b"x"}}, "has 1 bytes")):
            run, which = self.apt(**arguments)
            with self.subTest(words), run, which, self.assertRaisesRegex(ToolError, words):
                self.fetch()
        with mock.patch("shutil.which", lambda name: None), self.assertRaisesRegex(ToolError, "there is no apt here"):
            self.fetch()
        self.assertFalse(self.to.exists())

    def pip(self, files, status=1, output="ERROR: shapes does not appear to be a Python project"):
        def run(command, env=None, **_):
            self.asked = command
            place = Path(env["TMPDIR"], "pip-download", "shapes", "shapes-1", "data")
            place.mkdir(parents=True)
            for name, data in files.items():
                (place / name).write_bytes(data)
                (place / f"._{name}").write_bytes(b"a resource fork")
            self.required = Path(command[command.index("-r") + 1]).read_text(encoding="ascii")
            return subprocess.CompletedProcess(command, status, "", output)

        return mock.patch.multiple("downloads.subprocess", run=run)

    def test_source_archive(self):
        plain = {name.replace("-", ".")[:-3]: data * 2 for name, data in FILES.items()}
        with self.pip(plain):
            self.fetch(ARCHIVED)
        self.assertEqual({p.name: p.read_bytes() for p in self.to.iterdir()}, {name[:-3]: data * 2 for name, data in FILES.items()})
        self.assertEqual(self.required, f"shapes-dir==1 --hash=sha256:{'0' * 64}\n")
        self.assertIn("--require-hashes", self.asked)
        self.assertEqual(list(self.cache.iterdir()), [])
        self.assertIn("train-images  (CC0)", self.lines[1])
        with mock.patch("downloads.subprocess.run", side_effect=AssertionError):  # there already
            self.fetch(ARCHIVED)
        (self.to / "train-labels").unlink()
        self.fetch(ARCHIVED, source=str(self.mirror))  # what is missing may be packed
        self.assertTrue((self.to / "train-labels.gz").is_file())
        self.assertFalse((self.to / "train-images.gz").exists())

    def test_source_archive_fails(self):
        plain = {name.replace("-", ".")[:-3]: data * 2 for name, data in FILES.items()}
        for files, output, words in (({}, "ERROR: no matching distribution", "check the network and proxy settings, or use --from"),
                                     ({}, "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "another shapes-dir==1 than the pinned one"),
                                     ({**plain, "train.labels": b"x"}, "", "has 1 bytes")):
            with self.subTest(words), self.pip(files, output=output), self.assertRaisesRegex(ToolError, words):
                self.fetch(ARCHIVED)
        self.assertFalse(self.to.exists())

    def test_the_manifest(self):
        for name in ("mnist", "fashion-mnist"):
            pins = downloads.load_manifest(fetch_data.MANIFEST)[name]
            self.assertEqual(sorted(pin["name"] for pin in pins["files"]),
                             ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"])
            self.assertTrue(all(len(pin["sha256"]) == 64 for pin in pins["files"]))
            self.assertNotIn("://", json.dumps(pins))


if __name__ == "__main__":
    unittest.main()
