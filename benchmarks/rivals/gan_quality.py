# SPDX-License-Identifier: MIT
"""The GAN of models/gan in PyTorch: mnist_gan's default recipe, trained on the same pictures, and samples of it.

A program of its own for a Python that has PyTorch; compare/gan_quality.py starts it:
  gan_quality.py --data DIR --epochs N --seed N --threads N --samples FILE --count N [--plain]
DIR holds the training pictures of MNIST. Writes `count` pictures of the averaged generator to FILE, as IDX, and to stdout one
line of JSON: seconds per iteration, the losses of the last hundred iterations."""

import argparse
import copy
import gzip
import json
import struct
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

LATENT, BATCH, LEARNING_RATE, BETAS, DECAY = 64, 64, 0.002, (0.5, 0.999), 0.999
CLIP_GRAD, STATISTICS_BATCH = 5, 2048  # largest norm of a gradient; samples for the average's statistics of batch norm
G_SIZES, D_SIZES = (128, 256, 512, 784), (784, 512, 256, 128, 32, 1)
IMAGES = ("train-images-idx3-ubyte", "images-idx3-ubyte")


def load_pictures(folder):
    """(N,784) in [-1,1]"""
    for name in IMAGES:
        for path, opened in ((Path(folder) / name, open), (Path(folder) / f"{name}.gz", gzip.open)):
            if path.is_file():
                with opened(path, "rb") as file:
                    data = file.read()
                _, count, height, width = struct.unpack(">4I", data[:16])
                pixels = torch.frombuffer(bytearray(data[16:]), dtype=torch.uint8).reshape(count, height * width)
                return pixels.float() / 127.5 - 1
    raise SystemExit(f"{folder} has no {IMAGES[0]}")


def generator(plain):
    layers, size = [], LATENT
    for out in G_SIZES[:-1]:
        layers += [nn.Linear(size, out), *([] if plain else [nn.BatchNorm1d(out)]), nn.LeakyReLU(0.2)]
        size = out
    return nn.Sequential(*layers, nn.Linear(size, G_SIZES[-1]), nn.Tanh())


def discriminator():
    layers = []
    for size, out in zip(D_SIZES[:-2], D_SIZES[1:-1]):
        layers += [nn.Linear(size, out), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(D_SIZES[-2], D_SIZES[-1]))


@torch.no_grad()
def pull(average, model, step):
    """average = decay * average + (1 - decay) * model; the decay begins small."""
    decay = min(DECAY, (1 + step) / (10 + step))
    for mine, theirs in zip(average.parameters(), model.parameters()):
        mine.lerp_(theirs, 1 - decay)


@torch.no_grad()
def settle(average):
    """Batch norm's statistics, measured with the averaged weights."""
    norms = [module for module in average.modules() if isinstance(module, nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    average.train()
    average(torch.randn(STATISTICS_BATCH, LATENT))
    average.eval()


def train(pictures, epochs, plain):
    g, d = generator(plain), discriminator()
    average = copy.deepcopy(g).eval()
    adam = {"lr": LEARNING_RATE, "betas": BETAS, "fused": True}
    of_g, of_d = torch.optim.Adam(g.parameters(), **adam), torch.optim.Adam(d.parameters(), **adam)
    real_target, fake_target = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    losses, began = [], time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(pictures))
        for first in range(0, len(pictures) - BATCH + 1, BATCH):
            real = pictures[order[first:first + BATCH]]
            with torch.no_grad():
                fake = g(torch.randn(BATCH, LATENT))
            of_d.zero_grad(set_to_none=True)
            of_real, of_fake = d(torch.cat([real, fake])).split(BATCH)
            d_loss = F.binary_cross_entropy_with_logits(of_real, real_target) + F.binary_cross_entropy_with_logits(of_fake, fake_target)
            d_loss.backward()
            nn.utils.clip_grad_norm_(d.parameters(), CLIP_GRAD)
            of_d.step()
            d.requires_grad_(False)
            of_g.zero_grad(set_to_none=True)
            g_loss = F.binary_cross_entropy_with_logits(d(g(torch.randn(BATCH, LATENT))), real_target)
            g_loss.backward()
            nn.utils.clip_grad_norm_(g.parameters(), CLIP_GRAD)
            of_g.step()
            d.requires_grad_(True)
            pull(average, g, len(losses))
            losses.append((d_loss.item(), g_loss.item()))
    seconds = (time.perf_counter() - began) / len(losses)
    settle(average)
    return average, losses, seconds


def main():
    parser = argparse.ArgumentParser()
    for name in ("--data", "--samples"):
        parser.add_argument(name, required=True)
    for name in ("--epochs", "--seed", "--threads", "--count"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--plain", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.backends.fp32_precision = "ieee"  # f32 is f32, whatever the release's or the environment's default
    torch.manual_seed(arguments.seed)
    average, losses, seconds = train(load_pictures(arguments.data), arguments.epochs, arguments.plain)
    with torch.no_grad():
        samples = average(torch.randn(arguments.count, LATENT))
    pixels = ((samples.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    with open(arguments.samples, "wb") as file:
        file.write(struct.pack(">4I", 0x803, arguments.count, 28, 28) + pixels.numpy().tobytes())
    last = losses[-100:]
    print(json.dumps({"seconds_per_iteration": seconds, "d_loss": sum(d for d, _ in last) / len(last),
                      "g_loss": sum(g for _, g in last) / len(last)}))


if __name__ == "__main__":
    main()
