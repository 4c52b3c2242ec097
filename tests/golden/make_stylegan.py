#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes stylegan.safetensors: StyleGAN as published, in small, computed by PyTorch in f64. See README.md.

Written from the paper and the published constants (docs/stylegan.md), in the original's way: both networks see pictures of
the full resolution throughout, enlarged by repeating pixels where growing has not come so far (lod > 0). Weights have lilypad's names,
and random numbers are its own (make_gan.py), drawn in the order of models/stylegan/trainer.cpp."""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from make_gan import Noise
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
from safetensors_file import write_safetensors  # noqa: E402

OUTPUT = HERE / "stylegan.safetensors"
SEED, BATCH, STEPS, GAMMA, RATE = 11, 8, 10, 50.0, 0.003
START, TRAIN, FADE = 8, 20, 24  # pictures: 3 steps of 8², 3 of fading in, 4 of 16²
EMA_HALF_LIFE, W_DECAY, MIXING = 100, 0.995, 0.9
GRADIENTS_AT = {"plain": (0, 4, 9)}  # steps: before, during and after the fading in
ROOT2 = math.sqrt(2)


@dataclass(frozen=True)
class Sizes:
    resolution: int = 16
    channels: int = 3
    classes: int = 0
    latent: int = 6
    width: int = 5
    mapping_layers: int = 3
    feature_base: int = 16
    feature_max: int = 4
    stddev_group: int = 4

    @property
    def levels(self):
        return int(math.log2(self.resolution)) - 1

    def features(self, stage):
        return min(self.feature_base // 2 ** stage, self.feature_max)


KINDS = {  # name: (sizes, loss, penalty every so many steps)
    "plain": (Sizes(), "nonsaturating", 1),
    "classes": (Sizes(classes=3), "nonsaturating", 1),
    "lazy": (Sizes(), "nonsaturating", 2),
    "wgan_gp": (Sizes(), "wgan-gp", 1),
    "r3": (Sizes(), "r3", 1),
}
WIDE = Sizes(resolution=128, channels=1, feature_base=64, feature_max=2)
WIDE_ROWS = [0, 1, 2, 3, 63, 64, 126, 127]


# ---------------------------------------------------------------------------------------------------- weights

def random_weights(o, seed):
    """(G's, D's), none of them at its first value, so that each matters; f32 holds them exactly."""
    torch.manual_seed(seed)
    g, d = {}, {}

    def layer(p, name, shape, std=1.0, bias=True):
        p[f"{name}.weight"] = torch.randn(shape) * std
        if bias:
            p[f"{name}.bias"] = torch.randn(shape[0]) * 0.2 * std
    if o.classes:
        g["mapping.classes"] = torch.randn(o.classes, o.latent)
    inputs = o.latent * (2 if o.classes else 1)
    for i in range(o.mapping_layers):
        layer(g, f"mapping.layers.{i}", (o.width, inputs), 100.0)
        inputs = o.width
    for i in range(o.levels):
        c, side = o.features(i + 1), 4 * 2 ** i
        block = f"blocks.{i}"
        if i == 0:
            g[f"{block}.const"] = 1 + 0.3 * torch.randn(1, c, 4, 4)
        else:
            layer(g, f"{block}.conv0", (c, o.features(i), 3, 3), bias=False)
        layer(g, f"{block}.conv1", (c, c, 3, 3), bias=False)
        for j in (0, 1):
            name = f"{block}.layer{j}"
            g[f"{name}.noise_weight"] = 0.3 * torch.randn(c)
            g[f"{name}.bias"] = 0.2 * torch.randn(c)
            g[f"{name}.noise"] = torch.randn(1, 1, side, side)
            layer(g, f"{name}.style", (2 * c, o.width))
        layer(g, f"{block}.to_rgb", (o.channels, c, 1, 1))
        layer(d, f"from_rgb.{i}", (c, o.channels, 1, 1))
        if i > 0:
            layer(d, f"blocks.{i - 1}.conv0", (c, c, 3, 3))
            layer(d, f"blocks.{i - 1}.conv1", (o.features(i), c, 3, 3))
    g["w_average"] = torch.zeros(o.width)
    c = o.features(1)
    layer(d, "conv", (c, c + (1 if o.stddev_group else 0), 3, 3))
    layer(d, "dense0", (o.features(0), c * 16))
    layer(d, "dense1", (max(o.classes, 1), o.features(0)))
    return tuple({name: value.float().double() for name, value in p.items()} for p in (g, d))


def is_buffer(name):
    return name.endswith(".noise") or name == "w_average"


# --------------------------------------------------------------------------------------------------- networks

def lrelu(x):
    return torch.maximum(x, 0.2 * x)


def weight_of(p, name, gain, lrmul=1.0):
    w = p[f"{name}.weight"]
    return w * (gain / math.sqrt(w[0].numel()) * lrmul)


def dense(p, name, x, gain, lrmul=1.0):
    return x @ weight_of(p, name, gain, lrmul).T + p[f"{name}.bias"] * lrmul


def with_bias(p, name, x):
    return x + p[f"{name}.bias"].reshape(1, -1, 1, 1)


def conv(p, name, x, gain=ROOT2):
    w = weight_of(p, name, gain)
    return F.conv2d(x, w, padding=w.shape[2] // 2)


def up(x, factor=2):
    return x.repeat_interleave(factor, 2).repeat_interleave(factor, 3) if factor > 1 else x


def down(x, factor=2):
    return F.avg_pool2d(x, factor) if factor > 1 else x


def blur(x):
    f = torch.tensor([1., 2., 1.], dtype=x.dtype)
    f = torch.outer(f, f) / 16
    return F.conv2d(x, f.expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])


def four_shifts(w):
    """A 4x4 kernel: the sum of four copies of a 3x3 one."""
    w = F.pad(w, (1, 1, 1, 1))
    return w[..., 1:, 1:] + w[..., :-1, 1:] + w[..., 1:, :-1] + w[..., :-1, :-1]


def up_conv(p, name, x):
    if x.shape[2] * 2 < 128:
        return conv(p, name, up(x))
    # What the original stores for its transposed convolution is the mirror image of what it stores below 128².
    w = weight_of(p, name, ROOT2).flip(2, 3)
    return F.conv_transpose2d(x, four_shifts(w).transpose(0, 1), stride=2, padding=1)


def conv_down(p, name, x):
    if x.shape[2] < 128:
        return down(conv(p, name, x))
    return F.conv2d(x, four_shifts(weight_of(p, name, ROOT2)) * 0.25, stride=2, padding=1)


def mapping(p, o, z, labels):
    x = torch.cat([z, p["mapping.classes"][labels]], 1) if o.classes else z
    x = x * torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-8)
    for i in range(o.mapping_layers):
        x = lrelu(dense(p, f"mapping.layers.{i}", x, ROOT2, 0.01))
    return x


def epilogue(p, name, x, w, noise):
    if noise is not None:
        x = x + noise * p[f"{name}.noise_weight"].reshape(1, -1, 1, 1)
    x = lrelu(with_bias(p, name, x))
    x = x - x.mean((2, 3), keepdim=True)
    x = x * torch.rsqrt((x * x).mean((2, 3), keepdim=True) + 1e-8)
    style = dense(p, f"{name}.style", w, 1.0).reshape(len(w), 2, -1, 1, 1)
    return x * (style[:, 0] + 1) + style[:, 1]


def to_rgb(p, block, x):
    return with_bias(p, f"{block}.to_rgb", conv(p, f"{block}.to_rgb", x, 1.0))


def synthesis(p, o, ws, noise, lod):
    """ws, noise: one per layer -> (N,channels,R,R)"""
    top = o.levels - 1 - int(lod)  # the last block that counts
    x = p["blocks.0.const"].expand(len(ws[0]), -1, -1, -1)
    before = None
    for i in range(top + 1):
        block = f"blocks.{i}"
        if i > 0:
            before, x = x, blur(up_conv(p, f"{block}.conv0", x))
        x = epilogue(p, f"{block}.layer0", x, ws[2 * i], noise[2 * i])
        x = epilogue(p, f"{block}.layer1", conv(p, f"{block}.conv1", x), ws[2 * i + 1], noise[2 * i + 1])
    y = to_rgb(p, f"blocks.{top}", x)
    fraction = lod - int(lod)
    if fraction > 0:
        y = torch.lerp(y, up(to_rgb(p, f"blocks.{top - 1}", before)), fraction)
    return up(y, 2 ** int(lod))


def minibatch_stddev(x, group):
    n, c, h, w = x.shape
    group = min(group, n)
    y = x.reshape(group, n // group, c, h, w)
    y = ((y - y.mean(0, keepdim=True)) ** 2).mean(0)
    y = torch.sqrt(y + 1e-8).mean((1, 2, 3), keepdim=True)
    return torch.cat([x, y.repeat(group, 1, h, w)], 1)


def discriminator(p, o, pictures, labels, lod):
    """(N,channels,R,R) -> (N)"""
    def from_rgb(i, y):
        return lrelu(with_bias(p, f"from_rgb.{i}", conv(p, f"from_rgb.{i}", y)))
    top = o.levels - 1 - int(lod)
    pictures = down(pictures, 2 ** int(lod))
    x = from_rgb(top, pictures)
    fraction = lod - int(lod)
    for i in range(top, 0, -1):
        block = f"blocks.{i - 1}"
        x = lrelu(with_bias(p, f"{block}.conv0", conv(p, f"{block}.conv0", x)))
        x = lrelu(with_bias(p, f"{block}.conv1", conv_down(p, f"{block}.conv1", blur(x))))
        if i == top and fraction > 0:
            x = torch.lerp(x, from_rgb(i - 1, down(pictures)), fraction)
    if o.stddev_group:
        x = minibatch_stddev(x, o.stddev_group)
    x = lrelu(with_bias(p, "conv", conv(p, "conv", x)))
    x = lrelu(dense(p, "dense0", x.flatten(1), ROOT2))
    x = dense(p, "dense1", x, 1.0)
    return x[torch.arange(len(x)), labels] if o.classes else x[:, 0]


def process_reals(x, lod):
    """Pictures of the full resolution as they are at `lod`, of the full resolution again."""
    x = down(x, 2 ** int(lod))
    return up(torch.lerp(x, up(down(x)), lod - int(lod)), 2 ** int(lod))


# --------------------------------------------------------------------------------------------------- training

def lod_after(pictures, o):
    """log2 of how much smaller than the full resolution the networks still are."""
    phase, seen = divmod(pictures, TRAIN + FADE)
    lod = math.log2(o.resolution / START) - phase - max(seen - TRAIN, 0) / FADE
    return max(lod, 0.0)


class Adam:
    """As TensorFlow 1 has it: epsilon beside the uncorrected second moment."""

    def __init__(self, p):
        self.names = [name for name in p if not is_buffer(name)]
        self.reset()

    def reset(self):
        self.t, self.v = 0, dict.fromkeys(self.names, 0.0)

    def step(self, p, gradients):
        self.t += 1
        rate = RATE * math.sqrt(1 - 0.99 ** self.t)  # beta1 = 0
        for name in self.names:
            g = gradients[name]
            self.v[name] = 0.99 * self.v[name] + 0.01 * g * g
            p[name] = p[name] - rate * g / (torch.sqrt(self.v[name]) + 1e-8)


def gradients_of(loss, p, names):
    found = torch.autograd.grad(loss, [p[name] for name in names], allow_unused=True)
    return {name: torch.zeros_like(p[name]) if g is None else g for name, g in zip(names, found)}


def gradient_of_pictures(logits, pictures):
    return torch.autograd.grad(logits.sum(), pictures, create_graph=True)[0]


def square_of_gradient(logits, pictures):
    return (gradient_of_pictures(logits, pictures) ** 2).sum((1, 2, 3)).mean()


class Training:
    def __init__(self, o, loss, every):
        self.o, self.loss, self.every = o, loss, every
        self.g, self.d = random_weights(o, 1)
        self.average = dict(self.g)
        self.of_g, self.of_d = Adam(self.g), Adam(self.d)
        self.noise, self.pictures, self.lod, self.penalty = Noise(SEED), 0, None, 0.0

    def random_labels(self):
        if not self.o.classes:
            return None
        return torch.tensor([(w * self.o.classes) >> 64 for pair in self.noise.words(BATCH) for w in pair][:BATCH])

    def generate(self, p, labels, lod):
        o = self.o

        def new_w():
            return mapping(p, o, self.noise.normal(BATCH, o.latent, dtype=np.float64), labels)
        w = new_w()
        self.g["w_average"] = torch.lerp(w.detach().mean(0), self.g["w_average"], W_DECAY)
        layers = 2 * (o.levels - int(lod))
        ws = [w] * layers
        mixes, where = self.noise.uniform(2).tolist()
        if mixes < MIXING:
            cut = 1 + int(where * (layers - 1))
            ws[cut:] = [new_w()] * (layers - cut)
        noise = [self.noise.normal(BATCH, 1, 4 << i // 2, 4 << i // 2, dtype=np.float64) for i in range(layers)]
        return synthesis(p, o, ws, noise, lod)

    def d_loss(self, p, real, labels, lod, penalise):
        """(loss, D(real), D(fake))"""
        o, r3 = self.o, self.loss == "r3"
        fake_labels = labels if r3 else self.random_labels()
        fake = self.generate(self.g, fake_labels, lod).detach()
        real = real.clone().requires_grad_()
        fake.requires_grad_(r3)
        r, f = discriminator(p, o, real, labels, lod), discriminator(p, o, fake, fake_labels, lod)
        if self.loss == "wgan-gp":
            mix = self.noise.uniform(BATCH, 1, 1, 1, bits=53)
            between = (real * mix + fake * (1 - mix)).detach().requires_grad_()
            slope = gradient_of_pictures(discriminator(p, o, between, labels, lod), between)
            penalty = ((slope.pow(2).sum((1, 2, 3)).sqrt() - 1) ** 2).mean()
            self.penalty = penalty.item()
            return f.mean() - r.mean() + 10 * penalty + 0.001 * (r * r).mean(), r, f
        loss = F.softplus(f - r).mean() if r3 else F.softplus(f).mean() + F.softplus(-r).mean()
        if penalise:
            penalty = square_of_gradient(r, real)
            if r3:
                penalty = penalty + square_of_gradient(f, fake)
            self.penalty = penalty.item()
            loss = loss + GAMMA * 0.5 * self.every * penalty
        return loss, r, f

    def g_loss(self, p, real, labels, lod):
        r3 = self.loss == "r3"
        fake_labels = labels if r3 else self.random_labels()
        f = discriminator(self.d, self.o, self.generate(p, fake_labels, lod), fake_labels, lod)
        if self.loss == "wgan-gp":
            return -f.mean()
        if not r3:
            return F.softplus(-f).mean()
        return F.softplus(discriminator(self.d, self.o, real, labels, lod) - f).mean()

    def step(self, real, labels):
        """(D's loss, G's loss, penalty, mean D(real), mean D(fake)), D's gradients, G's gradients"""
        lod = lod_after(self.pictures, self.o)
        if self.lod is not None and (int(lod) != int(self.lod) or math.ceil(lod) != math.ceil(self.lod)):
            self.of_g.reset()
            self.of_d.reset()
        self.lod, real = lod, process_reals(real, lod)
        p = {name: value.requires_grad_() for name, value in self.d.items()}
        d_loss, r, f = self.d_loss(p, real, labels, lod, self.pictures // BATCH % self.every == 0)
        d_gradients = gradients_of(d_loss, p, self.of_d.names)
        self.d = {name: value.detach() for name, value in p.items()}
        self.of_d.step(self.d, d_gradients)
        # The average goes with D's step: it is one step of G behind.
        beta = 0.5 ** (BATCH / EMA_HALF_LIFE)
        for name, value in self.g.items():
            self.average[name] = value.clone() if is_buffer(name) else torch.lerp(value, self.average[name], beta)
        p = {name: value if is_buffer(name) else value.requires_grad_() for name, value in self.g.items()}
        g_loss = self.g_loss(p, real, labels, lod)
        g_gradients = gradients_of(g_loss, p, self.of_g.names)
        w_average = self.g["w_average"]
        self.g = {name: value.detach() for name, value in p.items()} | {"w_average": w_average}
        self.of_g.step(self.g, g_gradients)
        self.pictures += BATCH
        return (d_loss.item(), g_loss.item(), self.penalty, r.mean().item(), f.mean().item()), d_gradients, g_gradients


def run(name, tensors):
    o, loss, every = KINDS[name]
    training = Training(o, loss, every)
    for prefix, p in (("generator", training.g), ("discriminator", training.d)):
        if name in ("plain", "classes"):  # the others have those of "plain"
            tensors |= {f"{name}/{prefix}/{key}": value.float().numpy().copy() for key, value in p.items()}
    reals, rows = Noise(9, stream=0), []
    for step in range(STEPS):
        real = reals.uniform(BATCH, o.channels, o.resolution, o.resolution, bits=53) * 2 - 1
        labels = torch.arange(BATCH) % o.classes if o.classes else None
        row, d, g = training.step(real, labels)
        rows.append(row)
        if step in GRADIENTS_AT.get(name, (4,)):
            for prefix, p in (("d_gradient", d), ("g_gradient", g)):
                tensors |= {f"{name}/{step}/{prefix}/{key}": value.numpy().copy() for key, value in p.items()}
    tensors[f"{name}/losses"] = np.array(rows)
    if name == "plain":
        tensors |= {f"{name}/average/{key}": value.numpy().copy() for key, value in training.average.items()}
    return rows[-1]


def single_calls(name, o, tensors):
    """Both networks at work, once at the full resolution, once at lod 0.7, and R1's gradients."""
    g, d = random_weights(o, 1)
    numbers = Noise(9, stream=0)
    z = numbers.normal(BATCH, o.latent, dtype=np.float64)
    real = numbers.uniform(BATCH, o.channels, o.resolution, o.resolution, bits=53) * 2 - 1
    labels = torch.arange(BATCH) % o.classes if o.classes else None
    w = mapping(g, o, z, labels)
    tensors[f"{name}/w"] = w.numpy()
    noise = [g[f"blocks.{i // 2}.layer{i % 2}.noise"] for i in range(2 * o.levels)]
    for key, lod in (("full", 0.0), ("fading", 0.7), ("small", 1.0)):
        pictures = down(synthesis(g, o, [w[:2]] * 2 * o.levels, noise, lod), 2 ** int(lod))
        tensors[f"{name}/{key}/pictures"] = pictures.numpy()
        x = process_reals(real, lod).requires_grad_()
        p = {k: v.clone().requires_grad_() for k, v in d.items()}
        logits = discriminator(p, o, x, labels, lod)
        tensors[f"{name}/{key}/logits"] = logits.detach().numpy()
        r1 = square_of_gradient(logits, x)
        tensors[f"{name}/{key}/r1"] = np.array(r1.item())
        if (name, key) in (("plain", "full"), ("classes", "fading")):
            tensors |= {f"{name}/{key}/r1_gradient/{k}": v.numpy() for k, v in gradients_of(r1, p, list(p)).items()}


def wide(tensors):
    """128², where the original convolves and doubles at once."""
    g, d = random_weights(WIDE, 2)
    for prefix, p in (("generator", g), ("discriminator", d)):
        tensors |= {f"wide/{prefix}/{key}": value.float().numpy() for key, value in p.items() if not key.endswith(".noise")}
    numbers = Noise(9, stream=0)
    w = mapping(g, WIDE, numbers.normal(2, WIDE.latent, dtype=np.float64), None)
    pictures = synthesis(g, WIDE, [w] * 2 * WIDE.levels, [None] * 2 * WIDE.levels, 0.0)
    tensors["wide/pictures"] = pictures[:, :, WIDE_ROWS].numpy()
    tensors["wide/logits"] = discriminator(d, WIDE, pictures, None, 0.0).numpy()


def main():
    tensors = {}
    last = {name: run(name, tensors) for name in KINDS}
    with torch.no_grad():
        wide(tensors)
    for name in ("plain", "classes"):
        single_calls(name, KINDS[name][0], tensors)
    write_safetensors(OUTPUT, tensors, {"torch": torch.__version__, "seed": str(SEED), "kinds": json.dumps(list(KINDS))})
    print(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes; " + ", ".join(f"{name} {row[0]:.4f}" for name, row in last.items()))


if __name__ == "__main__":
    main()
