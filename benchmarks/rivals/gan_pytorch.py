# SPDX-License-Identifier: MIT
"""A training step of a plain GAN in PyTorch, as well as it can be done there on a CPU: the work of benchmarks/gan.cpp.

A program of its own for a Python that has PyTorch; compare/gan.py starts it:
  gan.py --mode eager|fused|compile --iterations N --threads N --log FILE
Writes CSV rows iteration,seconds,total to --log, and to stdout one line of JSON.

Of advantage to PyTorch: D sees real and generated pictures as one batch; D's weights get no gradient in G's step; targets are
made once; leaky ReLUs work in place; denormals are flushed; what is compiled is each player's forward pass with its loss."""

import argparse
import json
import time

import torch
import torch.nn.functional as F
from peak import memory_figures
from torch import nn

MODES = {  # name: (fused Adam, compiled)
    "eager": (False, False),
    "fused": (True, False),
    "compile": (True, True),
}
BATCH, LATENT, PIXELS, PICTURES = 64, 64, 784, 2048


def network(sizes, last=()):
    layers = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers[:-1], *last)


def train(iterations, fused, compiled, log):
    torch.manual_seed(1)
    d = network((PIXELS, 512, 256, 128, 32, 1))
    g = network((LATENT, 128, 256, 512, PIXELS), (nn.Tanh(),))
    d_adam, g_adam = (torch.optim.Adam(player.parameters(), lr=0.002, betas=(0.5, 0.999), fused=fused) for player in (d, g))
    pictures = torch.rand(PICTURES, PIXELS) * 2 - 1
    targets = torch.cat([torch.ones(BATCH, 1), torch.zeros(BATCH, 1)])
    ones = torch.ones(BATCH, 1)

    def d_loss_of(real, fake):
        return 2 * F.binary_cross_entropy_with_logits(d(torch.cat([real, fake])), targets)

    def g_loss_of(noise):
        return F.binary_cross_entropy_with_logits(d(g(noise)), ones)

    generate = g
    if compiled:
        generate, d_loss_of, g_loss_of = (torch.compile(f, dynamic=False) for f in (generate, d_loss_of, g_loss_of))
    log.write("iteration,seconds,total\n")
    began = time.perf_counter()
    for iteration in range(iterations):
        first = iteration * BATCH % PICTURES
        with torch.no_grad():
            fake = generate(torch.randn(BATCH, LATENT))
        d_adam.zero_grad(set_to_none=True)
        d_loss = d_loss_of(pictures[first:first + BATCH], fake)
        d_loss.backward()
        d_adam.step()
        d.requires_grad_(False)
        g_adam.zero_grad(set_to_none=True)
        g_loss = g_loss_of(torch.randn(BATCH, LATENT))
        g_loss.backward()
        g_adam.step()
        d.requires_grad_(True)
        total = d_loss.item() + g_loss.item()
        log.write(f"{iteration + 1},{time.perf_counter() - began:.9f},{total!r}\n")
        log.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--log", required=True)
    for name in ("--iterations", "--threads"):
        parser.add_argument(name, type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.backends.fp32_precision = "ieee"  # f32 is f32, whatever the release's or the environment's default
    with open(arguments.log, "w", encoding="ascii") as log:
        train(arguments.iterations, *MODES[arguments.mode], log)
    print(json.dumps({**memory_figures(), "capability": torch.backends.cpu.get_cpu_capability()}))


if __name__ == "__main__":
    main()
