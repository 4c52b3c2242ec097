#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes ops.safetensors: small cases of ops, optimisers and schedules, computed by PyTorch in f64. See README.md."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import optim

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
from safetensors_file import write_safetensors  # noqa: E402

OUTPUT = HERE / "ops.safetensors"
STEPS = 20
tensors, cases = {}, {}
generator = torch.Generator().manual_seed(20240607)


def normal(*shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def op_case(name, parameters, function, **inputs):
    """Stores inputs, y, an upstream gradient dy, and the gradient of every input."""
    inputs = {key: value.clone().requires_grad_() for key, value in inputs.items()}
    y = function(**inputs)
    dy = normal(*y.shape)
    gradients = torch.autograd.grad(y, list(inputs.values()), dy)
    for key, value in {**inputs, "y": y, "dy": dy}.items():
        tensors[f"{name}/{key}"] = value.detach().numpy()
    for key, gradient in zip(inputs, gradients):
        tensors[f"{name}/d{key}"] = gradient.numpy()
    cases[name] = parameters


def ops():
    for name, p in {
        "conv2d.plain": dict(stride=1, padding=0, dilation=1, groups=1),
        "conv2d.s2p1d2g2": dict(stride=2, padding=1, dilation=2, groups=2),
        "conv2d.s1p1g4": dict(stride=1, padding=1, dilation=1, groups=4),
    }.items():
        op_case(name, p, lambda x, w, b: F.conv2d(x, w, b, **p),
                x=normal(2, 4, 7, 6), w=normal(4, 4 // p["groups"], 3, 3), b=normal(4))
    for name, p in {
        "conv_transpose2d.plain": dict(stride=1, padding=0, output_padding=0, groups=1, dilation=1),
        "conv_transpose2d.s2p1op1g2": dict(stride=2, padding=1, output_padding=1, groups=2, dilation=1),
    }.items():
        op_case(name, p, lambda x, w, b: F.conv_transpose2d(x, w, b, **p),
                x=normal(2, 4, 3, 4), w=normal(4, 4 // p["groups"], 3, 3), b=normal(4))

    p = dict(kernel_size=3, stride=2, padding=1)
    op_case("max_pool2d.k3s2p1", p, lambda x: F.max_pool2d(x, **p), x=normal(2, 2, 6, 5))
    op_case("max_pool2d.ties", p, lambda x: F.max_pool2d(x, **p), x=torch.relu(normal(2, 2, 6, 5)))
    for include in (True, False):
        q = dict(p, count_include_pad=include)
        op_case(f"avg_pool2d.k3s2p1.{'include' if include else 'exclude'}", q, lambda x: F.avg_pool2d(x, **q), x=normal(2, 2, 6, 5))

    for mode in ("bilinear", "bicubic"):
        for direction, size in (("up", [8, 9]), ("down", [3, 2]), ("mixed", [4, 8])):
            for antialias in (False, True):
                p = dict(mode=mode, size=size, align_corners=False, antialias=antialias)
                op_case(f"interpolate.{mode}.{direction}{'.antialias' if antialias else ''}", p,
                        lambda x: F.interpolate(x, **p), x=normal(1, 2, 6, 5))

    op_case("softmax.dim1", dict(dim=1), lambda x: F.softmax(x, dim=1), x=3 * normal(3, 5, 4))
    op_case("log_softmax.dim1", dict(dim=1), lambda x: F.log_softmax(x, dim=1), x=3 * normal(3, 5, 4))
    op_case("log_softmax.huge", dict(dim=1), lambda x: F.log_softmax(x, dim=1), x=1000 * normal(2, 4))
    wide = torch.cat([10 * normal(20), torch.tensor([0.0, 19.999, 20.0, 20.001, 800.0, -800.0], dtype=torch.float64)])
    op_case("softplus.b1t20", dict(beta=1, threshold=20), lambda x: F.softplus(x, beta=1, threshold=20), x=wide)
    op_case("softplus.b2t5", dict(beta=2, threshold=5), lambda x: F.softplus(x, beta=2, threshold=5), x=wide)
    op_case("leaky_relu.0.2", dict(negative_slope=0.2), lambda x: F.leaky_relu(x, 0.2), x=torch.cat([normal(14), torch.zeros(2).double()]))
    op_case("linear", {}, F.linear, input=normal(3, 2, 5), weight=normal(4, 5), bias=normal(4))
    op_case("bmm", {}, lambda a, b: torch.bmm(a, b), a=normal(3, 4, 5), b=normal(3, 5, 2))
    op_case("matmul.broadcast", {}, lambda a, b: torch.matmul(a, b), a=normal(2, 1, 3, 4), b=normal(3, 4, 2))
    tied = torch.tensor([[1, 3, 3, 0], [2, 2, 2, 2], [-1, -5, -1, -2]], dtype=torch.float64)
    op_case("amax.ties", dict(dim=1, keepdim=False), lambda x: torch.amax(x, dim=1), x=tied)
    op_case("amax.all_ties", dict(dim=[0, 1], keepdim=True), lambda x: torch.amax(x, dim=(0, 1), keepdim=True), x=tied)
    for mode in ("constant", "reflect", "replicate"):
        p = dict(pad=[2, 1, 3, 0], mode=mode, **(dict(value=0.5) if mode == "constant" else {}))
        op_case(f"pad.{mode}", p, lambda x: F.pad(x, **p), x=normal(1, 2, 5, 4))
    for reduction in ("none", "mean", "sum"):
        op_case(f"bce_with_logits.{reduction}", dict(reduction=reduction),
                lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction=reduction),
                x=torch.cat([3 * normal(12), torch.tensor([0.0, 40.0, -40.0, 800.0, -800.0]).double()]), t=normal(17).sigmoid())
    batch_norm("batch_norm.nc", (6, 4), training=True, momentum=0.3)
    batch_norm("batch_norm.nchw", (2, 3, 4, 5), training=True, momentum=0.3)
    batch_norm("batch_norm.eval", (2, 3, 4, 5), training=False, momentum=0.1)
    index = torch.tensor([[3, 0, 3], [1, 1, 3]])
    op_case("embedding", {}, lambda weight: F.embedding(index, weight), weight=normal(5, 3))
    tensors["embedding/index"] = index.double().numpy()
    op_case("upsample_nearest2d.2x3", dict(scale_factor=[2, 3]), lambda x: F.interpolate(x, scale_factor=(2.0, 3.0), mode="nearest"),
            x=normal(2, 2, 3, 4))
    for approximate in ("none", "tanh"):
        op_case(f"gelu.{approximate}", dict(approximate=approximate), lambda x: F.gelu(x, approximate=approximate), x=3 * normal(16))
    op_case("layer_norm", dict(eps=1e-3), lambda x, weight, bias: F.layer_norm(x, (3, 4), weight, bias, 1e-3),
            x=2 * normal(2, 5, 3, 4) + 1, weight=normal(3, 4), bias=normal(3, 4))
    op_case("normalize.dim1", dict(dim=1), lambda x: F.normalize(x, dim=1), x=normal(4, 5))
    chosen = torch.tensor([2, 0, 2])
    op_case("index_select.dim1", dict(dim=1, index=chosen.tolist()), lambda x: x.index_select(1, chosen), x=normal(2, 3, 4))
    taps = torch.tensor([1.0, 2, 4], dtype=torch.float64) / 7
    op_case("blur.124", {}, lambda x: F.conv2d(x, torch.outer(taps, taps).expand(3, 1, 3, 3), padding=1, groups=3), x=normal(2, 3, 4, 5))


def batch_norm(name, shape, **parameters):
    """Also the running statistics before and after."""
    mean, var = normal(shape[1]), normal(shape[1]).abs() + 0.5
    tensors[f"{name}/running_mean_before"], tensors[f"{name}/running_var_before"] = mean.numpy().copy(), var.numpy().copy()
    op_case(name, parameters, lambda x, weight, bias: F.batch_norm(x, mean, var, weight, bias, **parameters),
            x=2 * normal(*shape) + 1, weight=normal(shape[1]), bias=normal(shape[1]))
    tensors[f"{name}/running_mean"], tensors[f"{name}/running_var"] = mean.numpy(), var.numpy()


def trajectory(name, make, parameters):
    """20 steps on sum c (p - t)^2 / 2 + (p - t)^4 / 4 over a vector and a matrix; start and every step are stored."""
    p, m = [torch.nn.Parameter(TOY[key].clone()) for key in ("p", "m")]
    optimiser = make([p, m])
    paths = {"p": [p.detach().clone()], "m": [m.detach().clone()]}

    def closure():
        optimiser.zero_grad()
        loss = sum((TOY[f"{key}_c"] * (v - TOY[f"{key}_t"]) ** 2 / 2 + (v - TOY[f"{key}_t"]) ** 4 / 4).sum()
                   for key, v in (("p", p), ("m", m)))
        loss.backward()
        return loss

    for _ in range(STEPS):
        optimiser.step(closure)
        paths["p"].append(p.detach().clone())
        paths["m"].append(m.detach().clone())
    for key, path in paths.items():
        tensors[f"{name}/{key}"] = torch.stack(path).numpy()
    cases[name] = parameters


def rosenbrock(name, parameters):
    x = torch.nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
    optimiser = optim.LBFGS([x], **parameters)
    path, losses, evaluations = [x.detach().clone()], [], []
    for _ in range(STEPS):
        seen = []

        def closure():
            optimiser.zero_grad()
            loss = 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
            loss.backward()
            seen.append(loss.item())
            return loss

        optimiser.step(closure)
        path.append(x.detach().clone())
        losses.append(seen[0])
        evaluations.append(len(seen))
    tensors[f"{name}/x"] = torch.stack(path).numpy()
    tensors[f"{name}/loss"] = np.array(losses)
    tensors[f"{name}/evaluations"] = np.array(evaluations)
    cases[name] = parameters


def optimisers():
    for key, value in TOY.items():
        tensors[f"optim.toy/{key}"] = value.numpy()
    for name, kind, parameters in [
        ("sgd", optim.SGD, dict(lr=0.05)),
        ("sgd.momentum", optim.SGD, dict(lr=0.05, momentum=0.9, dampening=0.1)),
        ("sgd.nesterov", optim.SGD, dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)),
        ("adam", optim.Adam, dict(lr=0.1, betas=(0.9, 0.999), eps=1e-8)),
        ("adam.weight_decay", optim.Adam, dict(lr=0.1, betas=(0.5, 0.99), eps=1e-8, weight_decay=0.1)),
        ("adamw", optim.AdamW, dict(lr=0.1, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1)),
        ("lbfgs.plain", optim.LBFGS, dict(lr=0.1, max_iter=1, history_size=10)),
        ("lbfgs.wolfe", optim.LBFGS, dict(lr=1, max_iter=1, history_size=10, line_search_fn="strong_wolfe")),
    ]:
        trajectory("optim." + name, lambda values: kind(values, **parameters), parameters)
    wolfe = dict(lr=1, history_size=10, line_search_fn="strong_wolfe")
    rosenbrock("optim.lbfgs.rosenbrock", dict(wolfe, max_iter=20))
    rosenbrock("optim.lbfgs.rosenbrock_single", dict(wolfe, max_iter=1))


def schedules():
    """The learning rate that each of 20 steps uses, from 0.1."""
    schedulers = optim.lr_scheduler
    for name, kind, parameters in [
        ("StepLR", schedulers.StepLR, dict(step_size=5, gamma=0.5)),
        ("ExponentialLR", schedulers.ExponentialLR, dict(gamma=0.9)),
        ("CosineAnnealingLR", schedulers.CosineAnnealingLR, dict(T_max=20, eta_min=0.001)),
        ("CosineAnnealingLR.beyond", schedulers.CosineAnnealingLR, dict(T_max=8, eta_min=0.001)),
        ("LinearLR", schedulers.LinearLR, dict(start_factor=1 / 3, end_factor=1.0, total_iters=5)),
    ]:
        optimiser = optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        scheduler = kind(optimiser, **parameters)
        rates = []
        for _ in range(STEPS):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            scheduler.step()
        tensors[f"schedule.{name}/lr"] = np.array(rates)
        cases[f"schedule.{name}"] = dict(parameters, lr=0.1)


def attention():
    for name, causal in (("full", False), ("causal", True)):
        op_case(f"attention.{name}", dict(is_causal=causal), lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal),
                q=2 * normal(2, 2, 5, 4), k=normal(2, 2, 7, 4), v=normal(2, 2, 7, 4))


TOY = {"p": normal(2), "p_c": normal(2).abs() + 0.5, "p_t": normal(2), "m": normal(2, 3), "m_c": normal(2, 3).abs() + 0.5, "m_t": normal(2, 3)}


def main():
    ops()
    optimisers()
    schedules()
    attention()
    write_safetensors(OUTPUT, tensors, {"torch": torch.__version__, "cases": json.dumps(cases)})
    print(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes, {len(cases)} cases, {len(tensors)} tensors")


if __name__ == "__main__":
    main()
