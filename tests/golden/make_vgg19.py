#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes vgg19.safetensors: what PyTorch computes with weights/vgg19.safetensors. See README.md for every key."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from safetensors_file import read_safetensors, write_safetensors  # noqa: E402
from toolkit import sha256_file  # noqa: E402
from vgg19_layers import layer_table  # noqa: E402

WEIGHTS = ROOT / "weights" / "vgg19.safetensors"
OUTPUT = HERE / "vgg19.safetensors"

CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
LAYERS = sorted([CONTENT_LAYER, *STYLE_LAYERS])
ALPHA, BETA, LAMBDA = 1e3, 5e6, 1e-6
TERMS = ["content", "style", "tv", "total"]
STEPS = 10
# The small problem: few enough operations for plain f64 loops.
SMALL_SIZE = 16
SMALL_CONTENT_LAYER = "relu3_2"
SMALL_STYLE_LAYERS = ["relu1_1", "relu2_1", "relu3_1"]


def triangle(n, period):
    """0, 1, ..., period/2, ..., 1, 0, 1, ... in integers."""
    n = n % period
    return np.minimum(n, period - n)


def formula_picture(height, width, seed):
    """x (3, H, W): smooth waves, an edge and some grain; every value a multiple of 1/64 in [-2, 2], so f32 holds it exactly."""
    c, y, x = np.meshgrid(np.arange(3), np.arange(height), np.arange(width), indexing="ij")
    waves = 5 * triangle((c + 2) * x + 3 * y + 11 * seed, 38) + 4 * triangle(x * y // 7 + 5 * c + seed, 30)
    edge = 60 * ((x + 2 * y + 17 * seed) // 40 % 2)
    grain = (x * 7919 + y * 104729 + c * 1299709 + seed * 15485863) % 31
    return (((waves + edge + grain) % 256 - 128) / 64).astype(np.float32)


def formula_perturbation(height, width):
    """u8 (3, H, W); x0 = content + (this - 128) / 1024, exact in f32."""
    c, y, x = np.meshgrid(np.arange(3), np.arange(height), np.arange(width), indexing="ij")
    return ((x * x * 31 + y * y * 17 + x * y * 13 + c * 101 + x * 7 + y * 3) % 256).astype(np.uint8)


class Vgg19:
    """The activations up to relu5_1; torchvision's tensor names."""

    def __init__(self, tensors, dtype):
        self.layers = layer_table()[:13]
        self.weights = {name: torch.tensor(array).to(dtype) for name, array in tensors.items()}

    def __call__(self, x):
        activations = {}
        for layer in self.layers:
            if layer.pool_before and min(x.shape[2:]) < 2:
                break
            if layer.pool_before:
                x = F.max_pool2d(x, 2)
            x = F.relu(F.conv2d(x, self.weights[layer.name + ".weight"], self.weights[layer.name + ".bias"], padding=1))
            activations[layer.keras.replace("block", "relu").replace("_conv", "_")] = x
        return activations


def gram(f):
    f = f.flatten(2)[0]
    return f @ f.T


class Method:
    """The losses of style transfer; targets are computed once."""

    def __init__(self, vgg, content, style, content_layer=CONTENT_LAYER, style_layers=STYLE_LAYERS):
        self.vgg, self.content_layer, self.style_layers = vgg, content_layer, style_layers
        with torch.no_grad():
            self.content = vgg(content)[content_layer]
            features = vgg(style)
            self.grams = {name: gram(features[name]) for name in style_layers}
            self.positions = {name: features[name].shape[2] * features[name].shape[3] for name in style_layers}

    def parts(self, x):
        """Unweighted: content as mean and as sum, E per style layer, TV."""
        features = self.vgg(x)
        difference = features[self.content_layer] - self.content
        layers = {}
        for name in self.style_layers:
            f = features[name]
            channels, positions = f.shape[1], f.shape[2] * f.shape[3]
            error = gram(f) / positions - self.grams[name] / self.positions[name]
            layers[name] = (error ** 2).sum() / (4 * channels ** 2)
        tv = (x[:, :, 1:] - x[:, :, :-1]).abs().sum() + (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().sum()
        return 0.5 * (difference ** 2).mean(), 0.5 * (difference ** 2).sum(), layers, tv

    def losses(self, x):
        """Weighted: content, style, tv, total."""
        content, _, layers, tv = self.parts(x)
        content, style, tv = ALPHA * content, BETA * sum(layers.values()) / len(layers), LAMBDA * tv
        return content, style, tv, content + style + tv


def adam_losses(method, start):
    """(STEPS, 4): the losses before each step."""
    x = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([x], lr=0.01, betas=(0.9, 0.999), eps=1e-8)
    rows = []
    for _ in range(STEPS):
        optimiser.zero_grad()
        losses = method.losses(x)
        losses[-1].backward()
        rows.append([loss.item() for loss in losses])
        optimiser.step()
    return np.array(rows)


def lbfgs_losses(method, start):
    """((STEPS, 4), (STEPS,)): the losses before each step, and how often each step asked for the loss."""
    x = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([x], lr=1, max_iter=1, max_eval=26, history_size=100, line_search_fn="strong_wolfe")
    rows, evaluations = [], []
    for _ in range(STEPS):
        seen = []

        def closure():
            optimiser.zero_grad()
            losses = method.losses(x)
            losses[-1].backward()
            seen.append([loss.item() for loss in losses])
            return losses[-1]

        optimiser.step(closure)
        rows.append(seen[0])
        evaluations.append(len(seen))
    return np.array(rows), np.array(evaluations)


def small_lbfgs_losses(weights):
    """lbfgs_losses of the pictures' first corner, in f64."""
    def corner(picture):
        return torch.tensor(picture[None, :, :SMALL_SIZE, :SMALL_SIZE]).double()

    content = corner(CONTENT)
    method = Method(Vgg19(weights, torch.float64), content, corner(STYLE), SMALL_CONTENT_LAYER, SMALL_STYLE_LAYERS)
    return lbfgs_losses(method, content + (corner(PERTURBATION) - 128) / 1024)


def run(weights, dtype):
    """Everything in one precision."""
    content, style = (torch.tensor(picture[None]).to(dtype) for picture in (CONTENT, STYLE))
    x0 = content + (torch.tensor(PERTURBATION[None]).to(dtype) - 128) / 1024
    vgg = Vgg19(weights, dtype)
    method = Method(vgg, content, style)
    x = x0.clone().requires_grad_()
    losses = method.losses(x)
    gradient, = torch.autograd.grad(losses[-1], x)
    content_mean, content_sum, layers, tv = method.parts(x)
    terms = {"content_mean": content_mean, **layers, "tv": tv}
    gradients = {name: torch.autograd.grad(term, x, retain_graph=True)[0][0] for name, term in terms.items()}
    with torch.no_grad():
        activations = {name: vgg(content)[name][0] for name in LAYERS}
    return {
        "activations": activations,
        "grams": method.grams,
        "losses": np.array([loss.item() for loss in losses]),
        "unweighted": {"content_mean": content_mean.item(), "content_sum": content_sum.item(), "tv": tv.item(),
                       "style": {name: value.item() for name, value in layers.items()}},
        "gradient": gradient[0].double().numpy(),
        "gradients": {name: value.double().numpy() for name, value in gradients.items()},
        "adam": adam_losses(method, x0),
        "adam_from_content": adam_losses(method, content),
        "lbfgs": lbfgs_losses(method, x0),
    }


def sample(count, size, seed):
    return np.sort(np.random.default_rng(seed).choice(size, count, replace=False)).astype(np.int64)


def relative(f32, f64):
    """Largest difference, relative to the largest value."""
    return float(np.abs(f32 - f64).max() / np.abs(f64).max())


CONTENT = formula_picture(48, 64, 1)
STYLE = formula_picture(40, 56, 2)
PERTURBATION = formula_perturbation(48, 64)


def main():
    weights, weights_metadata = read_safetensors(WEIGHTS)
    if weights_metadata["normalised"] != "true":
        sys.exit(f"{WEIGHTS} is not normalised; make it with: python tools/convert_vgg19.py")
    torch.use_deterministic_algorithms(True)
    exact, single = run(weights, torch.float64), run(weights, torch.float32)

    tensors = {"content": CONTENT, "style": STYLE, "perturbation": PERTURBATION,
               "gradient": exact["gradient"].astype(np.float32)}
    error = {"gradient": relative(single["gradient"], exact["gradient"]),
             "gradient_l2": float(np.linalg.norm(single["gradient"] - exact["gradient"]) / np.linalg.norm(exact["gradient"]))}
    tensors["gradient/index"] = index = sample(128, exact["gradient"].size, 200)
    for name, f64 in exact["gradients"].items():
        tensors[f"gradient/{name}"] = f64.ravel()[index]
        error[f"gradient/{name}"] = relative(single["gradients"][name], f64)
    for number, name in enumerate(LAYERS):
        f64, f32 = exact["activations"][name].numpy(), single["activations"][name].double().numpy()
        index = sample(64, f64.size, number)
        tensors[f"activation/{name}/shape"] = np.array(f64.shape)
        tensors[f"activation/{name}/mean"] = np.array(f64.mean())
        tensors[f"activation/{name}/absmax"] = np.array(np.abs(f64).max())
        tensors[f"activation/{name}/index"] = index
        tensors[f"activation/{name}/value"] = f64.ravel()[index]
        error[f"activation/{name}"] = relative(f32, f64)
    for number, name in enumerate(STYLE_LAYERS):
        f64, f32 = exact["grams"][name].numpy(), single["grams"][name].double().numpy()
        index = sample(128, f64.size, 100 + number)
        tensors[f"gram/{name}/frobenius"] = np.array(np.linalg.norm(f64))
        tensors[f"gram/{name}/trace"] = np.array(np.trace(f64))
        tensors[f"gram/{name}/index"] = index
        tensors[f"gram/{name}/value"] = f64.ravel()[index]
        error[f"gram/{name}"] = relative(f32, f64)
    for suffix, result in (("", exact), ("_f32", single)):
        tensors["losses" + suffix] = result["losses"]
        tensors["content_mean" + suffix] = np.array(result["unweighted"]["content_mean"])
        tensors["content_sum" + suffix] = np.array(result["unweighted"]["content_sum"])
        tensors["tv" + suffix] = np.array(result["unweighted"]["tv"])
        tensors["style_layers" + suffix] = np.array([result["unweighted"]["style"][name] for name in STYLE_LAYERS])
        tensors["adam" + suffix] = result["adam"]
        tensors["adam_from_content" + suffix] = result["adam_from_content"]
        tensors["lbfgs" + suffix], tensors["lbfgs_evaluations" + suffix] = result["lbfgs"]
    for name in ("losses", "adam", "adam_from_content", "lbfgs", "style_layers"):
        f64, f32 = tensors[name], tensors[name + "_f32"]
        error[name] = float((np.abs(f32 - f64) / np.maximum(np.abs(f64), 1e-300)).max())

    tensors["lbfgs_small"], tensors["lbfgs_small_evaluations"] = small_lbfgs_losses(weights)

    metadata = {
        "torch": torch.__version__,
        "weights_sha256": sha256_file(WEIGHTS),
        "parameters": json.dumps({"alpha": ALPHA, "beta": BETA, "lambda": LAMBDA, "content_layer": CONTENT_LAYER, "style_layers": STYLE_LAYERS,
                                  "style_layer_weight": 0.2, "adam": {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8},
                                  "lbfgs": {"lr": 1, "max_iter": 1, "max_eval": 26, "history_size": 100, "line_search_fn": "strong_wolfe"}}),
        "columns": json.dumps(TERMS),
        "pytorch_f32_error": json.dumps({key: float(f"{value:.3g}") for key, value in error.items()}),
    }
    write_safetensors(OUTPUT, tensors, metadata)
    print(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes, {len(tensors)} tensors")
    print("PyTorch f32 against f64:", metadata["pytorch_f32_error"])


if __name__ == "__main__":
    main()
