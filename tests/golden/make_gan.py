#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes gan.safetensors: twenty steps of a small GAN, computed by PyTorch in f64. See README.md.

The noise is lilypad's own, remade here: Philox4x32-10 by counter, two normal numbers per block (kernels/random/random.h),
of the stream that a training takes its noise from (framework/random.h)."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
from safetensors_file import write_safetensors  # noqa: E402

OUTPUT = HERE / "gan.safetensors"
PIXELS, LATENT, BATCH, STEPS, SEED = 12, 5, 6, 20, 77
G_HIDDEN, D_HIDDEN = (8, 7), (9, 6)
RATE, BETAS, DECAY, PENALTY = 0.01, (0.5, 0.999), 0.9, 10
KINDS = {  # name: (loss, batch norm)
    "default": ("nonsaturating", True), "plain": ("nonsaturating", False), "minimax": ("minimax", True),
    "lsgan": ("lsgan", True), "wgan_gp": ("wgan-gp", True), "hinge": ("hinge", True),
}
MASK = 0xFFFFFFFF
NOISE = 4  # Stream::noise


def philox(counter, key, stream):
    """Salmon et al. 2011: four words of 32 bits."""
    x = [counter & MASK, counter >> 32, stream & MASK, stream >> 32]
    k = [key & MASK, key >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [b >> 32 ^ x[1] ^ k[0], b & MASK, a >> 32 ^ x[3] ^ k[1], a & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return x


class Noise:
    """lilypad's Generator. A tensor of f32 has the numbers of one of f64, rounded."""

    def __init__(self, seed, stream=NOISE):
        self.seed, self.stream, self.counter = seed, stream, 0

    def words(self, count):
        blocks = (count + 1) // 2
        out = []
        for b in range(blocks):
            w = philox(self.counter + b, self.seed, self.stream)
            out.append((w[1] << 32 | w[0], w[3] << 32 | w[2]))
        self.counter += blocks
        return out

    def normal(self, *shape, dtype=np.float32):
        values = []
        for first, second in self.words(math.prod(shape)):
            u, v = (first >> 11) / 2 ** 53, (second >> 11) / 2 ** 53
            r = math.sqrt(-2 * math.log(1 - u))
            values += [r * math.cos(2 * math.pi * v), r * math.sin(2 * math.pi * v)]
        values = np.array(values[:math.prod(shape)]).astype(dtype)
        return torch.tensor(values, dtype=torch.float64).reshape(shape)

    def uniform(self, *shape, bits=24):
        values = [(word >> 64 - bits) / 2 ** bits for pair in self.words(math.prod(shape)) for word in pair]
        return torch.tensor(values[:math.prod(shape)], dtype=torch.float64).reshape(shape)


class Generator(nn.Module):
    def __init__(self, batch_norm):
        super().__init__()
        sizes = (LATENT, *G_HIDDEN, PIXELS)
        self.last = len(sizes) - 2
        for i in range(len(sizes) - 1):
            setattr(self, f"linear{i}", nn.Linear(sizes[i], sizes[i + 1]))
            if batch_norm and i < self.last:
                setattr(self, f"norm{i}", nn.BatchNorm1d(sizes[i + 1]))

    def forward(self, x):
        for i in range(self.last):
            x = getattr(self, f"linear{i}")(x)
            if hasattr(self, f"norm{i}"):
                x = getattr(self, f"norm{i}")(x)
            x = F.leaky_relu(x, 0.2)
        return torch.tanh(getattr(self, f"linear{self.last}")(x))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = (PIXELS, *D_HIDDEN, 1)
        self.last = len(sizes) - 2
        for i in range(len(sizes) - 1):
            setattr(self, f"linear{i}", nn.Linear(sizes[i], sizes[i + 1]))

    def forward(self, x):
        for i in range(self.last):
            x = F.leaky_relu(getattr(self, f"linear{i}")(x), 0.2)
        return getattr(self, f"linear{self.last}")(x)


def d_loss_of(loss, real, fake):
    if loss == "lsgan":
        return 0.5 * ((real - 1) ** 2).mean() + 0.5 * (fake ** 2).mean()
    if loss == "wgan-gp":
        return fake.mean() - real.mean()
    if loss == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    return F.binary_cross_entropy(torch.sigmoid(real), torch.ones_like(real)) + \
        F.binary_cross_entropy(torch.sigmoid(fake), torch.zeros_like(fake))


def g_loss_of(loss, fake):
    if loss == "lsgan":
        return 0.5 * ((fake - 1) ** 2).mean()
    if loss in ("wgan-gp", "hinge"):
        return -fake.mean()
    if loss == "minimax":
        return torch.log(1 - torch.sigmoid(fake)).mean()
    return -torch.log(torch.sigmoid(fake)).mean()


def penalty_of(d, real, fake, mix):
    x = (mix * real + (1 - mix) * fake).detach().requires_grad_()
    slope = torch.autograd.grad(d(x).sum(), x, create_graph=True)[0]
    return ((slope.norm(dim=1) - 1) ** 2).mean()


def run(name, loss, batch_norm, tensors):
    torch.manual_seed(5)
    g, d = Generator(batch_norm).float().double(), Discriminator().float().double()
    for module in (g, d):  # weights that f32 holds exactly
        for p in module.parameters():
            p.data = p.data.float().double()
    for prefix, module in (("generator", g), ("discriminator", d)):
        for key, value in module.state_dict().items():
            tensors[f"{name}/{prefix}/{key}"] = value.numpy().copy()
    of_g, of_d = (torch.optim.Adam(m.parameters(), lr=RATE, betas=BETAS) for m in (g, d))
    noise = Noise(SEED)
    real = torch.tensor(tensors["real"], dtype=torch.float64)
    losses = []
    for step in range(STEPS):
        fake = g(noise.normal(BATCH, LATENT)).detach()
        of_d.zero_grad()
        d_loss = d_loss_of(loss, d(real[step]), d(fake))
        penalty = torch.zeros(())
        if loss == "wgan-gp":
            penalty = penalty_of(d, real[step], fake, noise.uniform(BATCH, 1))
            d_loss = d_loss + PENALTY * penalty
        d_loss.backward()
        if step == 0:
            for key, p in d.named_parameters():
                tensors[f"{name}/d_gradient/{key}"] = p.grad.numpy().copy()
        of_d.step()
        of_g.zero_grad()
        g_loss = g_loss_of(loss, d(g(noise.normal(BATCH, LATENT))))
        g_loss.backward()
        if step == 0:
            for key, p in g.named_parameters():
                tensors[f"{name}/g_gradient/{key}"] = p.grad.numpy().copy()
            for key, value in g.state_dict().items():
                if "running" in key:
                    tensors[f"{name}/after_first/{key}"] = value.numpy().copy()
        of_g.step()
        losses.append((d_loss.item(), g_loss.item(), penalty.item()))
    tensors[f"{name}/losses"] = np.array(losses)


def main():
    rng = np.random.default_rng(1)
    tensors = {"real": np.round(rng.uniform(-64, 64, (STEPS, BATCH, PIXELS))) / 64}
    for name, (loss, batch_norm) in KINDS.items():
        run(name, loss, batch_norm, tensors)
    metadata = {"torch": torch.__version__, "steps": str(STEPS), "seed": str(SEED), "kinds": json.dumps(list(KINDS))}
    write_safetensors(OUTPUT, tensors, metadata)
    print(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes; " + ", ".join(f"{n} {tensors[f'{n}/losses'][-1][0]:.4f}" for n in KINDS))


if __name__ == "__main__":
    main()
