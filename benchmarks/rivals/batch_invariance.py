# SPDX-License-Identifier: MIT
"""How many rows have other bits in a batch than alone, in PyTorch on the CPU and here, as a table in Markdown.

A program of its own for a Python that has PyTorch; ours is benchmarks/batch_invariance.cpp, whose rows and batches are the same:
  batch_invariance.py --ours build/release/bin/batch_invariance [--write docs/batch_invariance.md]"""

import argparse
import random
import re
import subprocess
from pathlib import Path

import clip_embeddings as clip
import torch
import torch.nn.functional as F

ROWS, BATCHES, THREADS = 8, (2, 3, 7, 16, 33, 64), (1, 2)


def numbers(*shape, seed=3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cases():
    """(name, shape of a row, op); `name` as in batch_invariance.cpp where there is such an op."""
    w784, w5000, square = numbers(256, 784), numbers(64, 5000), numbers(256, 256)
    pad = {"padding": 1}
    small, picture, one, turned = numbers(128, 128, 3, 3), numbers(64, 3, 3, 3), numbers(64, 256, 1, 1), numbers(64, 32, 4, 4)
    mean = numbers(64, seed=4)
    yield "linear, 784 to 256", (784,), lambda x: F.linear(x, w784)
    yield "linear, 5,000 to 64", (5000,), lambda x: F.linear(x, w5000)
    yield "matmul, shared 256x256", (256,), lambda x: x @ square
    yield "matmul of pairs, 50x64", (50, 64), lambda x: x @ x.transpose(1, 2)
    yield "conv2d 3x3, 128 channels, 4x4", (128, 4, 4), lambda x: F.conv2d(x, small, **pad)
    yield "conv2d 3x3, 128 channels, 8x8", (128, 8, 8), lambda x: F.conv2d(x, small, **pad)
    yield "conv2d 3x3, 3 to 64 channels, 16x16", (3, 16, 16), lambda x: F.conv2d(x, picture, **pad)
    yield "conv2d 1x1, 256 to 64 channels, 7x7", (256, 7, 7), lambda x: F.conv2d(x, one)
    yield ("conv_transpose2d 4x4 stride 2, 64 to 32 channels, 8x8", (64, 8, 8),
           lambda x: F.conv_transpose2d(x, turned, stride=2, padding=1))
    yield "batch_norm, eval", (64, 7, 7), lambda x: F.batch_norm(x, mean, mean.exp(), mean.exp(), mean)
    yield "instance_norm", (64, 7, 7), F.instance_norm
    yield "softmax", (1001,), lambda x: x.softmax(1)
    yield "mean", (1001,), lambda x: x.mean(1)
    yield "exp", (1001,), torch.exp
    yield "exp2", (1001,), torch.exp2
    yield "log", (1001,), lambda x: x.abs().log()
    yield "tanh", (1001,), torch.tanh
    yield "sigmoid", (1001,), torch.sigmoid
    yield "silu", (1001,), F.silu
    yield "softplus", (1001,), F.softplus
    yield "mish", (1001,), F.mish
    yield "gelu", (1001,), F.gelu
    yield "gelu, by tanh", (1001,), lambda x: F.gelu(x, approximate="tanh")
    yield "quick_gelu", (1001,), lambda x: x * torch.sigmoid(1.702 * x)
    yield "pow", (1001,), lambda x: x.abs() ** 1.7
    yield "atan2", (1001,), lambda x: torch.atan2(x, x.flip(1))
    yield "layer_norm", (768,), lambda x: F.layer_norm(x, (768,))
    yield "attention, 12 heads of 50x64", (50, 2304), lambda x: attention(x, 12, False)
    yield "attention, causal, 8 heads of 77x64", (77, 1536), lambda x: attention(x, 8, True)
    image, text = clip.Image().eval(), clip.Text().eval()
    yield "CLIP ViT-B/32, a picture", (3, 224, 224), image
    yield "CLIP ViT-B/32, a text of 77 tokens", (77,), lambda x: text(tokens(x))


def attention(x, heads, causal):
    n, length, width = x.shape
    q, k, v = x.view(n, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).reshape(n, length, width // 3)


def tokens(x):
    ids = (x.abs() * 10000).long()
    ids[:, -1] = 49407
    return ids


def differing(row, op):
    """(rows with other bits, rows) over all batches and numbers of threads."""
    x = numbers(ROWS, *row, seed=1)
    alone = [op(x[i : i + 1].clone()) for i in range(ROWS)]
    choose, differ, count = random.Random(2), 0, 0
    for threads in THREADS:
        torch.set_num_threads(threads)
        for batch in BATCHES:
            chosen = [choose.randrange(ROWS) for _ in range(batch)]
            y = op(x[chosen])
            differ += sum(not torch.equal(y[i], alone[row][0]) for i, row in enumerate(chosen))
            count += batch
    return differ, count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True, metavar="PROGRAM", help="build/release/bin/batch_invariance")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page whose table to write anew, instead of printing it")
    arguments = parser.parse_args()
    lines = subprocess.run([arguments.ours], check=True, capture_output=True, text=True).stdout.splitlines()
    ours = {name: int(differ) for name, differ, _ in (line.split("\t") for line in lines)}
    version = torch.__version__.split("+")[0]
    table = [f"| op | lilypad | PyTorch {version} |", "|---|---|---|"]
    with torch.no_grad():
        for name, row, op in cases():
            differ, count = differing(row, op)
            table.append(f"| {name} | {ours.pop(name, '–')} | {differ} |")
    if ours:
        raise SystemExit(f"batch_invariance.py has no {', '.join(ours)}")
    text = "\n".join(table) + "\n"
    if not arguments.write:
        print(f"of {count} rows each\n\n{text}", end="")
        return
    page = arguments.write.read_text()
    arguments.write.write_text(re.sub(r"\| op \|.*\n(\|.*\n)*", lambda _: text, page))


if __name__ == "__main__":
    main()
