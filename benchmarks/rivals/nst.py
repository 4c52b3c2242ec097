# SPDX-License-Identifier: MIT
"""Neural style transfer in PyTorch, as well as it can be done there on a CPU: the loss of models/style_transfer/loss.h.

A program of its own for a Python that has PyTorch; compare/nst.py starts it:
  nst.py --mode MODE --weights FILE --content FILE --style FILE --size N --iterations N --threads N --log FILE
Pictures are size x size x 3 bytes. Writes CSV rows iteration,seconds,total to --log, and to stdout one line of JSON.

Of advantage to PyTorch: weights need no gradient and lie in the memory format of the mode, in bf16 already for autocast; targets
are computed once; ReLUs work in place; Adam is the fused one; denormals are flushed; the loss is read once per iteration."""

import argparse
import contextlib
import json
import mmap
import time

import torch
import torch.nn.functional as F
from peak import memory_figures

MODES = {  # name: (precision, channels last, compiled)
    "eager": ("f32", False, False),
    "channels_last": ("f32", True, False),
    "compile": ("f32", True, True),
    "bf16": ("bf16", True, False),
    "bf16_compile": ("bf16", True, True),
}
WIDTHS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, 256, "pool", 512, 512, 512, 512, "pool", 512)  # to relu5_1
CONTENT, STYLE = 22, (1, 6, 11, 20, 29)  # relu4_2 and relu1_1 ... relu5_1, as places in torchvision's `features`
ALPHA, BETA, LAMBDA = 1e3, 5e6, 1e-6
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load_tensors(path):
    """{name: f32 tensor} of a safetensors file; the tensors share its mapped pages."""
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(data, dtype=torch.float32, count=(end - begin) // 4, offset=start + begin).reshape(entry["shape"])
    return tensors


def load_picture(path, size):
    """(1,3,H,W): the network's input."""
    with open(path, "rb") as file:
        pixels = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
    rgb = pixels.reshape(size, size, 3).permute(2, 0, 1)[None].contiguous().float() / 255
    return (rgb - torch.tensor(MEAN).reshape(1, 3, 1, 1)) / torch.tensor(STD).reshape(1, 3, 1, 1)


def make_network(tensors, dtype, memory_format):
    """VGG-19 to relu5_1, torchvision's layers with its names."""
    layers, inputs = [], 3
    for width in WIDTHS:
        if width == "pool":
            layers.append(torch.nn.MaxPool2d(2, 2))
            continue
        layers += [torch.nn.Conv2d(inputs, width, 3, padding=1, device="meta"), torch.nn.ReLU(inplace=True)]
        inputs = width
    network = torch.nn.Sequential(*layers)
    state = {name.removeprefix("features."): tensor for name, tensor in tensors.items()}
    network.load_state_dict({name: state[name] for name in network.state_dict()}, assign=True)
    return network.to(dtype=dtype, memory_format=memory_format).requires_grad_(False).eval()


def gram(f):
    """F Fᵀ / M, (C,C); of a channels-last map F is a transposed view, not a copy."""
    f = f.flatten(2)[0]
    return (f @ f.T).float() / f.shape[1]


class Loss:
    """The total loss of a picture; targets are computed once, here."""

    def __init__(self, network, content, style, precision):
        self.network, self.precision = network, precision
        with torch.no_grad(), self.cast():
            self.content = self.features(content)[CONTENT]
            features = self.features(style)
            self.grams = [gram(features[place]) for place in STYLE]

    def cast(self):
        return torch.autocast("cpu", torch.bfloat16) if self.precision == "bf16" else contextlib.nullcontext()

    def features(self, x):
        found = {}
        for place, layer in enumerate(self.network):
            x = layer(x)
            if place == CONTENT or place in STYLE:
                found[place] = x
        return found

    def __call__(self, x):
        with self.cast():
            features = self.features(x)
            total = 0.5 * ALPHA * F.mse_loss(features[CONTENT], self.content)
            for place, target in zip(STYLE, self.grams):
                channels = target.shape[0]
                total = total + BETA / len(STYLE) / (4 * channels ** 2) * F.mse_loss(gram(features[place]), target, reduction="sum")
            tv = (x[:, :, 1:] - x[:, :, :-1]).abs().sum() + (x[..., 1:] - x[..., :-1]).abs().sum()
            return total + LAMBDA * tv


def fingerprint(tensor):
    """As style_transfer puts it into checkpoints: FNV-1a over "(1,3,H,W) f32" and the bytes."""
    shape = ",".join(str(size) for size in tensor.shape)
    value = 0xCBF29CE484222325
    for byte in f"({shape}) f32".encode() + tensor.contiguous().numpy().tobytes():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def optimise(loss, start, iterations, log):
    """Adam on the picture; a row per iteration."""
    x = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([x], lr=0.01, betas=(0.9, 0.999), eps=1e-8, fused=True)
    log.write("iteration,seconds,total\n")
    began = time.perf_counter()
    for iteration in range(1, iterations + 1):
        optimiser.zero_grad(set_to_none=True)
        total = loss(x)
        total.backward()
        value = total.item()
        optimiser.step()
        log.write(f"{iteration},{time.perf_counter() - began:.9f},{value!r}\n")
        log.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=MODES, required=True)
    for name in ("--weights", "--content", "--style", "--log"):
        parser.add_argument(name, required=True)
    for name in ("--size", "--iterations", "--threads"):
        parser.add_argument(name, type=int, required=True)
    arguments = parser.parse_args()
    precision, channels_last, compiled = MODES[arguments.mode]
    memory_format = torch.channels_last if channels_last else torch.contiguous_format

    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.backends.fp32_precision = "ieee"  # f32 is f32, whatever the release's or the environment's default
    inputs = [load_picture(path, arguments.size) for path in (arguments.content, arguments.style)]
    content, style = (picture.contiguous(memory_format=memory_format) for picture in inputs)
    network = make_network(load_tensors(arguments.weights), torch.bfloat16 if precision == "bf16" else torch.float32, memory_format)
    loss = Loss(network, content, style, precision)
    with open(arguments.log, "w", encoding="ascii") as log:
        optimise(torch.compile(loss.__call__, dynamic=False) if compiled else loss, content, arguments.iterations, log)
    print(json.dumps({**memory_figures(), "inputs": [fingerprint(picture) for picture in inputs],
                      "capability": torch.backends.cpu.get_cpu_capability()}))


if __name__ == "__main__":
    main()
