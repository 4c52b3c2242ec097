#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes clip.safetensors: what OpenAI's model code computes in f64 from weights that are made of their names. See README.md.

The code is the one in the Python package clip-anytorch==2.6.0, imported as it is; only its layer norm, which goes through
f32, is replaced by PyTorch's, and for one small case its GELU and epsilon."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
from safetensors_file import write_safetensors  # noqa: E402

OUTPUT = HERE / "clip.safetensors"
B32 = dict(embed_dim=512, image_resolution=224, vision_layers=12, vision_width=768, vision_patch_size=32, context_length=77,
           vocab_size=49408, transformer_width=512, transformer_heads=8, transformer_layers=12)
TINY = dict(embed_dim=24, image_resolution=16, vision_layers=2, vision_width=128, vision_patch_size=4, context_length=9,
            vocab_size=60, transformer_width=64, transformer_heads=2, transformer_layers=3)
LENGTHS = {"b32": (77, 9, 3), "tiny": (9, 4, 2, 7)}  # of the texts, begin and end included
LOGIT_SCALE = 3.0
# How large a tensor is, by the end of its name: the first that fits. "mean ± range", range / √(inputs of an output).
RULES = [("ln_pre.weight", 1, 0.1), ("ln_post.weight", 1, 0.1), ("ln_final.weight", 1, 0.1), ("ln_1.weight", 1, 0.1),
         ("ln_2.weight", 1, 0.1), ("bias", 0, 0.05), ("positional_embedding", 0, 0.02), ("class_embedding", 0, 0.05),
         ("token_embedding.weight", 0, 0.02), ("logit_scale", LOGIT_SCALE, 0)]
SCALED_RULES = [("in_proj_weight", 2.4), ("out_proj.weight", 0.35), ("c_proj.weight", 0.35), ("c_fc.weight", 1.2),
                ("conv1.weight", 0.1), ("proj", 1.0), ("text_projection", 1.0)]


def reference():
    """clip/model.py alone: the package's own __init__ wants more."""
    package = Path(importlib.util.find_spec("clip").origin).parent
    spec = importlib.util.spec_from_file_location("clip_model", package / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.LayerNorm.forward = torch.nn.LayerNorm.forward
    return module


def words(name, count):
    """The first numbers of std::mt19937, seeded by the FNV-1a hash of the name."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 & 0xFFFFFFFF
    bits = np.random.MT19937()
    bits._legacy_seeding(seed)
    return bits.random_raw(count)


def uniform(name, shape):
    """In [-1, 1), exact in f32."""
    values = (words(name, int(np.prod(shape))) >> np.uint64(8)).astype(np.float64) / 2 ** 23 - 1
    return values.reshape(shape)


def weight(name, shape):
    for end, mean, spread in RULES:
        if name.endswith(end):
            return (mean + spread * uniform(name, shape)).astype(np.float32)
    for end, spread in SCALED_RULES:
        if name.endswith(end):
            return (spread / np.sqrt(np.prod(shape[1:])) * uniform(name, shape)).astype(np.float32)
    raise ValueError(name)


def tokens_of(kind, size):
    """Begin, words, end (the largest id), and zeros."""
    ids = np.zeros((len(LENGTHS[kind]), size["context_length"]), dtype=np.int64)
    for i, length in enumerate(LENGTHS[kind]):
        ids[i, 1:length - 1] = words(f"text {i}", length - 2) % np.uint64(size["vocab_size"] - 2) if length > 2 else []
        ids[i, 0], ids[i, length - 1] = size["vocab_size"] - 2, size["vocab_size"] - 1
    return torch.tensor(ids)


def run(name, kind, size, change, tensors):
    model = reference().CLIP(**size).double()
    change(model)
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.copy_(torch.tensor(weight(key, tuple(p.shape)).astype(np.float64)))
    count, side = len(LENGTHS[kind]), size["image_resolution"]
    pixels = torch.tensor(2 * uniform("pixels", (count, 3, side, side)))
    tokens = tokens_of(kind, size)
    images, texts = model.encode_image(pixels), model.encode_text(tokens)
    logits, _ = model(pixels, tokens)
    right = torch.arange(count)
    loss = (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2
    loss.backward()
    norms, projections = [], []
    for key, p in sorted(model.named_parameters()):
        gradient = p.grad.numpy()
        norms.append(np.linalg.norm(gradient))
        projections.append((gradient * uniform(key + " projection", gradient.shape)).sum())
    for key, value in {"image": images, "text": texts, "logits": logits, "loss": loss}.items():
        tensors[f"{name}/{key}"] = value.detach().numpy().copy()
    tensors[f"{name}/gradient_norm"], tensors[f"{name}/gradient_projection"] = np.array(norms), np.array(projections)
    print(f"{name}: {sum(p.numel() for p in model.parameters())} parameters in {len(norms)} tensors, loss {loss.item():.6f}")
    return [key for key, _ in sorted(model.named_parameters())]


def gelu_and_epsilon(model):
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-6
        if hasattr(module, "gelu"):
            module.gelu = torch.nn.GELU()


def main():
    tensors = {}
    run("tiny", "tiny", TINY, lambda model: None, tensors)
    run("tiny_gelu", "tiny", TINY, gelu_and_epsilon, tensors)
    names = run("b32", "b32", B32, lambda model: None, tensors)
    write_safetensors(OUTPUT, tensors, {"torch": torch.__version__, "reference": "clip-anytorch 2.6.0", "b32": json.dumps(names)})
    print(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
