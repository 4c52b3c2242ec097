# SPDX-License-Identifier: MIT
"""fetch_data.py captions on small packages made here: what is left out and why, and how the set is divided."""

import contextlib
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

try:
    from PIL import Image
except ImportError:
    raise unittest.SkipTest("Pillow is missing: pip install -r tools/requirements.txt") from None

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import caption_set
import caption_sources
import debian_packages
from toolkit import ToolError

SVG = ('<svg xmlns="http://www.w3.org/2000/svg" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" width="9" height="9"><metadata><rdf:RDF '
       'xmlns:cc="http://web.resource.org/cc/" xmlns:dc="http://purl.org/dc/elements/1.1/"><cc:Work><dc:title>{}</dc:title><dc:creator><cc:Agent>'
       '<dc:title>Somebody</dc:title></cc:Agent></dc:creator></cc:Work></rdf:RDF></metadata>{}</svg>')


def png(colour, size=(8, 6), mode="RGBA"):
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def drawn(svg):
    """In place of rsvg-convert: the colour that the drawing names."""
    text = svg.decode("latin-1")
    return None if "broken" in text else png(text.split("fill=")[1].split('"')[1], (256, 256))


@unittest.skipUnless(shutil.which("dpkg-deb"), "there is no dpkg-deb here")
class CaptionSet(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.pins, self.lines = {}, []

    def package(self, source, name, files, links=()):
        """A .deb of these files, pinned."""
        root = self.folder / name
        for path, data in files.items():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data if isinstance(data, bytes) else data.encode())
        for path, target in links:
            (root / path.lstrip("/")).symlink_to(target)
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN" / "control").write_text(f"Package: {name}\nVersion: 1.5\nArchitecture: all\nMaintainer: x\nDescription: x\n")
        deb = self.folder / "debs" / f"{name}_1.5_all.deb"
        deb.parent.mkdir(exist_ok=True)
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, deb], check=True, capture_output=True)
        self.pins[source] = {"package": name, "size": 1000, "licence": "CC0",
                             "versions": [{"version": "1.5", "sha256": hashlib.sha256(deb.read_bytes()).hexdigest()}]}

    def stamps(self, count=3):
        start = caption_sources.STAMPS + "animals/"
        files = {f"{start}{i}.png": png((20 * i, 9, 9, 255)) for i in range(count)} | {f"{start}{i}.txt": f"Animal number {chr(97 + i) * 3}.\nde.utf8=Tier\n" for i in range(count)}
        files |= {start + "0.svg": SVG.format("x", '<rect fill="red"/>'), start + "0_mirror.png": png("red"), start + "0_mirror.txt": "An animal",
                  start + "silent.png": png("red"), start + "empty.png": png((9, 9, 9, 0)), start + "empty.txt": "Nothing to see"}
        self.package("stamps", "stamps", files)

    def fetch(self, **options):
        arguments = SimpleNamespace(to=self.folder / "set", cache=self.folder / "cache", source=self.folder / "debs", **options)
        with mock.patch("caption_set.draw", drawn):
            caption_set.fetch(self.pins, arguments, self.lines.append)
        return json.loads((self.folder / "set" / "report.json").read_text())

    def captions(self):
        return sorted(path.read_text().strip() for path in (self.folder / "set").glob("*/*/*.txt"))

    def test_stamps(self):
        self.stamps()
        report = self.fetch()
        self.assertEqual(report["sources"]["stamps"]["left_out"], {"the mirror of another": 1, "no sentence": 1, "blank, or nearly": 1, "a link to another file": 0})
        self.assertEqual(self.captions(), ["Animal number aaa.", "Animal number bbb.", "Animal number ccc."])
        self.assertEqual(report["train"] + report["test"], 3)
        for path in (self.folder / "set").glob("*/*/*.png"):
            with Image.open(path) as picture:
                self.assertEqual(picture.mode, "RGB")
        with mock.patch("caption_set.collect", side_effect=AssertionError):
            self.fetch()  # it is there already

    def test_clip_art(self):
        start = caption_sources.CLIP_ART
        files = {f"{start}c/{i}.svg": SVG.format("Gramastar" if i % 2 else "gramastar", f'<rect fill="#0000{i:02}"/>') for i in range(5)}
        files |= {start + "rose.svg": SVG.format("Clip art by Ann - red_rose 02", '<rect fill="red"/>'),
                  start + "same.svg": SVG.format("another rose", '<rect fill="red"/>'),
                  start + "latin.svg": SVG.format("Caf\u00e9 noir", '<rect fill="black"/>').encode("latin-1"),
                  start + "white.svg": SVG.format("a cloud", '<rect fill="white"/>'), start + "number.svg": SVG.format("1234", '<rect fill="red"/>'),
                  start + "outside.svg": SVG.format("a photo", '<image href="photo.jpg"/>'), start + "untitled.svg": "<svg fill=\"red\"/>",
                  start + "broken.svg": SVG.format("a broken thing", "broken"), start + "notes.txt": "x"}
        self.package("clip-art", "clip-art", files, [(start + "link.svg", "rose.svg")])
        report = self.fetch()
        self.assertEqual(report["sources"]["clip-art"]["left_out"], {
            "the title of a collection": 5, "a link to another file": 1, "not XML, or no title": 1, "shows a picture of another file": 1,
            "a title without a word": 1, "cannot be drawn or read": 1, "blank, or nearly": 1, "draws the same as another": 1})
        self.assertEqual(self.captions(), ["Caf\u00e9 noir", "red rose"])

    def test_another_version_is_named(self):
        self.stamps()
        self.pins["stamps"]["versions"][0]["sha256"] = "0" * 64
        report = self.fetch()
        self.assertEqual((report["sources"]["stamps"]["version"], report["sources"]["stamps"]["known_version"]), ("1.5", False))
        self.assertTrue(any(line.startswith("note: stamps is 1.5") for line in self.lines), self.lines)

    def test_what_is_missing_is_one_line(self):
        self.pins["stamps"] = {"package": "stamps", "size": 1, "licence": "x", "versions": []}
        (self.folder / "debs").mkdir()
        with self.assertRaisesRegex(ToolError, "has no stamps_"):
            self.fetch()
        (self.folder / "debs" / "stamps_1_all.deb").write_bytes(b"!<arch>\nnothing")
        with self.assertRaisesRegex(ToolError, "damaged or not a package"):
            self.fetch()
        (self.folder / "set").mkdir()
        (self.folder / "set" / "mine").write_text("x")
        with self.assertRaisesRegex(ToolError, "is not empty"):
            self.fetch()
        with mock.patch("shutil.which", lambda _: None), self.assertRaisesRegex(ToolError, "no apt and dpkg"):
            debian_packages.fetch(self.pins["stamps"], self.folder, print)
        with mock.patch("subprocess.run", side_effect=FileNotFoundError), self.assertRaisesRegex(ToolError, "apt-get install librsvg2-bin"):
            caption_set.draw(b"<svg/>")

    def test_equal_captions_and_drawings_stay_together(self):
        items = [(f"x/{i}", f"thing {i // 4}", b"", f"hash {i}") for i in range(400)]
        items += [("x/upper", "THING 3.", b"", "other"), ("x/twin", "unlike", b"", "hash 17")]
        side = caption_set.sides(items)
        self.assertEqual(len(side), 402)
        for i in range(400):
            self.assertEqual(side[i], side[i // 4 * 4])
        self.assertEqual(side[400], side[12])
        self.assertEqual(side[401], side[17])
        self.assertAlmostEqual(sum(value == "test" for value in side.values()), 40, delta=4)
        again = caption_set.sides(items[::-1])
        self.assertEqual([again[401 - i] for i in range(402)], [side[i] for i in range(402)])

    @unittest.skipUnless(shutil.which("rsvg-convert"), "rsvg-convert is not there: apt-get install librsvg2-bin")
    def test_drawing(self):
        svg = '<svg xmlns="http://www.w3.org/2000/svg" width="20mm" height="10mm"><rect width="20mm" height="10mm" fill="#ff0000"/></svg>'
        picture = caption_set.on_white(svg.encode())
        self.assertEqual(picture.size, (256, 128))
        self.assertEqual(picture.getpixel((100, 60)), (255, 0, 0))
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertIsNone(caption_set.on_white(b"<svg"))


if __name__ == "__main__":
    unittest.main()
