# SPDX-License-Identifier: MIT
"""ViT-B/32's embeddings in PyTorch, as fast as it makes them on a CPU: the work of benchmarks/clip_embeddings.cpp.

  clip_embeddings.py --kind image|text --batch N --tokens N --seconds S --threads N [--compile]
Writes one line of JSON. Of advantage to PyTorch: attention by scaled_dot_product_attention, no gradients, inference mode; where
--compile is given, the module is compiled and frozen."""

import argparse
import json
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch._inductor import config as inductor


class Block(nn.Module):
    def __init__(self, width, causal):
        super().__init__()
        self.heads, self.causal = width // 64, causal
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.in_proj, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = self.in_proj(self.ln_1(x)).view(n, length, 3, self.heads, 64).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out_proj(found.transpose(1, 2).reshape(n, length, width))
        h = self.c_fc(self.ln_2(x))
        return x + self.c_proj(h * torch.sigmoid(1.702 * h))


class Image(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 768, 32, 32, bias=False)
        self.class_embedding, self.positional_embedding = nn.Parameter(torch.randn(768) * 0.03), nn.Parameter(torch.randn(50, 768) * 0.03)
        self.ln_pre, self.ln_post = nn.LayerNorm(768), nn.LayerNorm(768)
        self.blocks = nn.Sequential(*(Block(768, False) for _ in range(12)))
        self.proj = nn.Parameter(torch.randn(768, 512) * 0.03)

    def forward(self, x):
        x = self.conv1(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(x.shape[0], 1, -1), x], 1) + self.positional_embedding
        return self.ln_post(self.blocks(self.ln_pre(x))[:, 0]) @ self.proj


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embedding = nn.Embedding(49408, 512)
        self.positional_embedding = nn.Parameter(torch.randn(77, 512) * 0.01)
        self.blocks = nn.Sequential(*(Block(512, True) for _ in range(12)))
        self.ln_final = nn.LayerNorm(512)
        self.text_projection = nn.Parameter(torch.randn(512, 512) * 0.03)

    def forward(self, ids):
        x = self.ln_final(self.blocks(self.token_embedding(ids) + self.positional_embedding[:ids.shape[1]]))
        return x[torch.arange(ids.shape[0]), ids.argmax(-1)] @ self.text_projection


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("image", "text"), required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=77)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    model = (Image() if a.kind == "image" else Text()).eval()
    ids = torch.tensor([[49406] + [i * 7919 % 49406 for i in range(a.tokens - 2)] + [49407]] * a.batch)
    x = torch.randn(a.batch, 3, 224, 224) if a.kind == "image" else ids
    if a.compile:
        inductor.freezing = True
        model = torch.compile(model, dynamic=False)
    times = []
    with torch.inference_mode():
        for _ in range(3):
            model(x)
        while sum(times) < a.seconds or len(times) < 3:
            began = time.perf_counter()
            model(x)
            times.append(time.perf_counter() - began)
    times.sort()
    print(json.dumps({"kind": a.kind, "batch": a.batch, "tokens": a.tokens if a.kind == "text" else 50, "least_ms": round(1000 * times[0], 2),
                      "median_ms": round(1000 * times[len(times) // 2], 2), "runs": len(times)}))


if __name__ == "__main__":
    main()
