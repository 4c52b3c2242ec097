# SPDX-License-Identifier: MIT
"""StyleGAN's training step and pictures in PyTorch, as well as it can be done there on a CPU: the work of benchmarks/stylegan_step.cpp.

A program of its own for a Python that has PyTorch; compare/stylegan.py starts it:
  stylegan_pytorch.py --mode MODE --work step|pictures --iterations N --threads N --log FILE
Writes CSV rows iteration,seconds,total to --log, and to stdout one line of JSON.

Of advantage to PyTorch: the fused Adam; D's weights get no gradient in G's step; instance norm is its own; denormals are flushed; pictures
are made as one batch without a graph. `compile` compiles all that has no second gradient: G, and D on generated pictures. D on real ones,
which R1 differentiates twice, stays eager."""

import argparse
import json
import math
import time

import torch
import torch.nn.functional as F
from peak import memory_figures
from torch import nn

MODES = {  # name: (memory format, compiled)
    "eager": (torch.contiguous_format, False),
    "channels_last": (torch.channels_last, False),
    "compile": (torch.contiguous_format, True),
    "compile_channels_last": (torch.channels_last, True),
}
BATCH, SAMPLES, SIDE, LATENT, GAMMA, PSI, BATCHES = 32, 64, 32, 128, 1.0, 0.7, 8
FEATURES = (128, 128, 64, 32)  # at 4², 8², 16², 32²
SLOPE, ROOT2 = 0.2, math.sqrt(2)


class Equal(nn.Module):
    """A linear layer or convolution with an equalised learning rate."""

    def __init__(self, *shape, gain=ROOT2, rate=1.0, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape) / rate)
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None
        self.scale, self.rate = gain * rate / math.sqrt(math.prod(shape[1:])), rate

    def forward(self, x):
        weight, bias = self.weight * self.scale, self.bias
        if weight.dim() == 4:
            return F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)
        return F.linear(x, weight, bias * self.rate if self.rate != 1 else bias)


def blur_kernel(channels):
    f = torch.tensor([1., 2., 1.])
    return (torch.outer(f, f) / 16).expand(channels, 1, 3, 3).contiguous()


def lrelu(x):
    return F.leaky_relu(x, SLOPE)


class Epilogue(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.noise = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.style = Equal(2 * channels, LATENT, gain=1)

    def forward(self, x, w):
        x = lrelu(torch.addcmul(x, torch.randn(len(x), 1, *x.shape[2:]), self.noise) + self.bias)
        scale, bias = self.style(w)[:, :, None, None].chunk(2, 1)
        return torch.addcmul(bias, F.instance_norm(x, eps=1e-8), scale + 1)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.mapping = nn.ModuleList(Equal(LATENT, LATENT, rate=0.01) for _ in range(8))
        self.const = nn.Parameter(torch.ones(1, FEATURES[0], 4, 4))
        pairs = list(zip(FEATURES[:-1], FEATURES[1:]))
        self.up = nn.ModuleList(Equal(after, before, 3, 3, bias=False) for before, after in pairs)
        self.conv = nn.ModuleList(Equal(c, c, 3, 3, bias=False) for c in FEATURES)
        self.epilogue = nn.ModuleList(Epilogue(c) for c in FEATURES for _ in range(2))
        self.to_rgb = Equal(3, FEATURES[-1], 1, 1, gain=1)
        for i, c in enumerate(FEATURES[1:]):
            self.register_buffer(f"blur{i}", blur_kernel(c))
        self.register_buffer("average", torch.zeros(LATENT))

    def map(self, z):
        x = z * torch.rsqrt((z * z).mean(1, keepdim=True) + 1e-8)
        for layer in self.mapping:
            x = lrelu(layer(x))
        return x

    def synthesize(self, ws):
        x = self.const.expand(len(ws[0]), -1, -1, -1)
        for i in range(len(FEATURES)):
            if i > 0:
                x = self.up[i - 1](F.interpolate(x, scale_factor=2))
                x = F.conv2d(x, getattr(self, f"blur{i - 1}"), padding=1, groups=x.shape[1])
            x = self.epilogue[2 * i](x, ws[2 * i])
            x = self.epilogue[2 * i + 1](self.conv[i](x), ws[2 * i + 1])
        return self.to_rgb(x)

    def forward(self, z, other, mixed_from):
        """Pictures in two styles, and the mean of w. Both are computed: what is compiled has no branches."""
        w, second = self.map(torch.cat([z, other])).chunk(2)
        layers = 2 * len(FEATURES)
        ws = [torch.where(mixed_from <= i, second, w) for i in range(layers)]
        return self.synthesize(ws), w.detach().mean(0)

    def sample(self, z):
        w = self.map(z)
        return self.synthesize([torch.lerp(self.average, w, PSI)] * 2 * len(FEATURES))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.from_rgb = Equal(FEATURES[-1], 3, 1, 1)
        pairs = list(zip(FEATURES[:0:-1], FEATURES[-2::-1]))
        self.conv = nn.ModuleList(Equal(c, c, 3, 3) for c, _ in pairs)
        self.down = nn.ModuleList(Equal(after, c, 3, 3) for c, after in pairs)
        for i, (c, _) in enumerate(pairs):
            self.register_buffer(f"blur{i}", blur_kernel(c))
        self.last = Equal(FEATURES[0], FEATURES[0] + 1, 3, 3)
        self.dense0, self.dense1 = Equal(FEATURES[0], FEATURES[0] * 16), Equal(1, FEATURES[0], gain=1)

    def forward(self, x):
        x = lrelu(self.from_rgb(x))
        for i, (conv, down) in enumerate(zip(self.conv, self.down)):
            x = F.conv2d(lrelu(conv(x)), getattr(self, f"blur{i}"), padding=1, groups=x.shape[1])
            x = lrelu(F.avg_pool2d(down(x), 2))
        y = x.reshape(4, -1, *x.shape[1:])
        y = torch.sqrt((y - y.mean(0)).square().mean(0) + 1e-8).mean((1, 2, 3), keepdim=True)
        x = torch.cat([x, y.repeat(4, 1, *x.shape[2:])], 1)
        x = lrelu(self.dense0(lrelu(self.last(x)).flatten(1)))
        return self.dense1(x)[:, 0]


def training_step(g, d, memory_format, compiled):
    average = {name: value.detach().clone() for name, value in g.state_dict().items()}
    names = [name for name, _ in g.named_parameters()]
    g_adam, d_adam = (torch.optim.Adam(m.parameters(), lr=1e-3, betas=(0.0, 0.99), fused=True) for m in (g, d))
    beta = 0.5 ** (BATCH / 10_000)

    def as_format(x):
        return x.contiguous(memory_format=memory_format)

    def d_fake_loss(fake):
        return F.softplus(d(fake)).mean()

    def g_loss_of(z, other, mixed_from):
        pictures, mean = g(z, other, mixed_from)
        return F.softplus(-d(pictures)).mean(), mean

    generate = g
    if compiled:
        generate, d_fake_loss, g_loss_of = (torch.compile(f, dynamic=False) for f in (generate, d_fake_loss, g_loss_of))
    batches = [as_format(torch.rand(BATCH, 3, SIDE, SIDE) * 2 - 1) for _ in range(BATCHES)]

    def draws():
        layers = 2 * len(FEATURES)
        mixed_from = torch.randint(1, layers, ()) if torch.rand(()) < 0.9 else torch.tensor(layers)
        return torch.randn(BATCH, LATENT), torch.randn(BATCH, LATENT), mixed_from

    def step(iteration):
        with torch.no_grad():
            fake, mean = generate(*draws())
            g.average.lerp_(mean, 0.005)
        d_adam.zero_grad(set_to_none=True)
        real = batches[iteration % BATCHES].clone().requires_grad_()
        logits = d(real)
        slope, = torch.autograd.grad(logits.sum(), real, create_graph=True)
        real_loss = F.softplus(-logits).mean() + GAMMA / 2 / BATCH * slope.square().sum()
        real_loss.backward(inputs=list(d.parameters()))
        fake_loss = d_fake_loss(as_format(fake))
        fake_loss.backward()
        d_adam.step()
        with torch.no_grad():
            torch._foreach_lerp_([average[name] for name in names], list(g.parameters()), 1 - beta)
        d.requires_grad_(False)
        g_adam.zero_grad(set_to_none=True)
        g_loss, mean = g_loss_of(*draws())
        g_loss.backward()
        g_adam.step()
        g.average.lerp_(mean, 0.005)
        d.requires_grad_(True)
        return real_loss.item() + fake_loss.item() + g_loss.item()
    return step


def pictures(g, compiled):
    sample = torch.compile(g.sample, dynamic=False) if compiled else g.sample

    def make(_):
        with torch.inference_mode():
            return sample(torch.randn(SAMPLES, LATENT)).square().mean().item()
    return make


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--work", choices=["step", "pictures"], required=True)
    parser.add_argument("--log", required=True)
    for name in ("--iterations", "--threads"):
        parser.add_argument(name, type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.backends.fp32_precision = "ieee"  # f32 is f32, whatever the release's or the environment's default
    torch.manual_seed(1)
    memory_format, compiled = MODES[arguments.mode]
    g, d = (module().to(memory_format=memory_format) for module in (Generator, Discriminator))
    work = training_step(g, d, memory_format, compiled) if arguments.work == "step" else pictures(g.requires_grad_(False), compiled)
    with open(arguments.log, "w", encoding="ascii") as log:
        log.write("iteration,seconds,total\n")
        began = time.perf_counter()
        for iteration in range(arguments.iterations):
            total = work(iteration)
            log.write(f"{iteration + 1},{time.perf_counter() - began:.9f},{total!r}\n")
            log.flush()
    print(json.dumps({**memory_figures(), "capability": torch.backends.cpu.get_cpu_capability()}))


if __name__ == "__main__":
    main()
