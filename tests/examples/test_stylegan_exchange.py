# SPDX-License-Identifier: MIT
"""stylegan generate with weights and latents of others, beside the same network in NumPy's f64."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
from common import BIN, ROOT

sys.path.insert(0, str(ROOT / "tools"))
from safetensors_file import read_safetensors, write_safetensors  # noqa: E402

PREFIX = "plain/generator/"


def conv(x, w, gain):
    n, side = w.shape[2], x.shape[2]
    x = np.pad(x, ((0, 0), (0, 0), (n // 2, n // 2), (n // 2, n // 2)))
    w = w * gain / np.sqrt(w[0].size)
    return sum(np.einsum("nchw,oc->nohw", x[:, :, i:i + side, j:j + side], w[:, :, i, j]) for i in range(n) for j in range(n))


def lrelu(x):
    return np.maximum(x, 0.2 * x)


def each(v):
    return v.reshape(1, -1, 1, 1)


def mapped(p, z):
    x = z / np.sqrt((z * z).mean(1, keepdims=True) + 1e-8)
    for i in range(3):
        w, b = p[f"mapping.layers.{i}.weight"], p[f"mapping.layers.{i}.bias"]
        x = lrelu(x @ (w * 0.01 * np.sqrt(2 / w.shape[1])).T + 0.01 * b)
    return x


def pictures_of(p, w, noisy):
    """w (N,layers,width) -> (N,channels,16,16)"""
    def epilogue(x, name, style):
        x = x + p[f"{name}.noise"] * each(p[f"{name}.noise_weight"]) * noisy
        x = lrelu(x + each(p[f"{name}.bias"]))
        x = x - x.mean((2, 3), keepdims=True)
        x = x / np.sqrt((x * x).mean((2, 3), keepdims=True) + 1e-8)
        a = p[f"{name}.style.weight"]
        s = (style @ a.T / np.sqrt(a.shape[1]) + p[f"{name}.style.bias"]).reshape(len(w), 2, -1, 1, 1)
        return x * (s[:, 0] + 1) + s[:, 1]
    x = np.repeat(p["blocks.0.const"], len(w), 0)
    for i in range(3):
        block = f"blocks.{i}"
        if i:
            x = conv(x.repeat(2, 2).repeat(2, 3), p[f"{block}.conv0.weight"], np.sqrt(2))
            f = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
            f = f[:, :, :-2] + 2 * f[:, :, 1:-1] + f[:, :, 2:]
            x = (f[..., :-2] + 2 * f[..., 1:-1] + f[..., 2:]) / 16
        x = epilogue(x, f"{block}.layer0", w[:, 2 * i])
        x = epilogue(conv(x, p[f"{block}.conv1.weight"], np.sqrt(2)), f"{block}.layer1", w[:, 2 * i + 1])
    return conv(x, p["blocks.2.to_rgb.weight"], 1) + each(p["blocks.2.to_rgb.bias"])


class Exchange(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        tensors, _ = read_safetensors(ROOT / "tests/golden/stylegan.safetensors")
        self.weights = {name[len(PREFIX):]: np.asarray(t, np.float32) for name, t in tensors.items() if name.startswith(PREFIX)}
        self.weights["w_average"] = np.linspace(-1, 1, 5).astype(np.float32)
        write_safetensors(self.dir / "g.safetensors", self.weights, {})
        self.p = {name: t.astype(np.float64) for name, t in self.weights.items()}
        self.z = np.random.default_rng(5).standard_normal((3, 6)).astype(np.float32)
        self.w = mapped(self.p, self.z.astype(np.float64))

    def run_it(self, latents, *options, code=0):
        np.save(self.dir / "in.npy", latents)
        done = subprocess.run([BIN / "stylegan", "generate", "--weights", self.dir / "g.safetensors", "--latents", self.dir / "in.npy",
                               "--npy", self.dir / "out.npy", *map(str, options)], capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return np.load(self.dir / "out.npy") if code == 0 else done.stderr

    def near(self, found, expected):
        self.assertEqual((found.dtype, found.shape), (np.float32, expected.shape))
        self.assertLess(np.abs(found - expected).max(), 2e-5 * np.abs(expected).max())

    def test_latents(self):
        same = self.w[:, None].repeat(6, 1)
        self.near(self.run_it(self.z, "--psi", 1, "--noise", "const"), pictures_of(self.p, same, True))
        self.near(self.run_it(self.z.astype(np.float64), "--psi", 1, "--noise", "none"), pictures_of(self.p, same, False))
        mean = self.p["w_average"]
        near = same.copy()
        near[:, :4] = mean + 0.5 * (near[:, :4] - mean)
        self.near(self.run_it(self.w, "--space", "w", "--psi", 0.5, "--cutoff", 4, "--noise", "const"), pictures_of(self.p, near, True))
        mixed = np.random.default_rng(6).standard_normal((2, 6, 5))
        self.near(self.run_it(mixed, "--space", "w", "--psi", 1, "--noise", "const"), pictures_of(self.p, mixed, True))

    def test_files(self):
        self.run_it(self.z, "--out", self.dir / "out")
        self.assertEqual(sorted(path.name for path in (self.dir / "out").iterdir()),
                         ["latent0000.png", "latent0001.png", "latent0002.png", "sheet.png"])

    def test_what_is_refused(self):
        self.assertRegex(self.run_it(self.z[:, :5], code=1), r"expected z \(N,6\)")
        self.assertRegex(self.run_it(self.z, "--space", "w", code=1), r"expected \(N,5\) or \(N,6,5\)")
        self.assertRegex(self.run_it(self.z.astype(">f4"), code=1), "expected <f4")
        self.assertRegex(self.run_it(np.arange(6).reshape(1, 6), code=1), "expected a row of f32 or f64")
        for name, message in (("blocks.1.conv1.weight", "tensors of 1 blocks"), ("blocks.1.layer0.bias", "blocks.1.layer0.bias"),
                              ("mapping.layers.0.weight", "no tensor 'mapping.layers.0.weight'")):
            write_safetensors(self.dir / "g.safetensors", {k: v for k, v in self.weights.items() if k != name}, {})
            self.assertRegex(self.run_it(self.z, code=1), message)


if __name__ == "__main__":
    unittest.main()
