#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes kinks.json: PyTorch's gradients where ops have kinks, ties and poles, or are given infinities and NaN. See README.md."""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

OUTPUT = Path(__file__).resolve().parent / "kinks.json"
INF, NAN = math.inf, math.nan
cases = []


def number(value):
    """JSON has no infinities and no NaN; a zero is one zero."""
    return value + 0.0 if math.isfinite(value) else str(value)


def case(op, where, function, *inputs, shape=None):
    """The gradient of function's sum by each input, a list of numbers that lies as `shape` says (the first one's)."""
    x = [torch.tensor(values, dtype=torch.float64) for values in inputs]
    if shape:
        x[0] = x[0].reshape(shape)
    x = [t.requires_grad_() for t in x]
    gradients = torch.autograd.grad(function(*x).sum(), x)
    cases.append({
        "op": op,
        "where": where,
        "inputs": [{"shape": list(t.shape), "values": [number(v) for v in t.flatten().tolist()]} for t in x],
        "gradients": [[number(v) for v in g.flatten().tolist()] for g in gradients],
    })


def functions_of_one():
    for op, function, points in [
        ("abs", torch.abs, {"0": 0, "NaN": NAN}),
        ("sign", torch.sign, {"0": 0, "NaN": NAN}),
        ("sqrt", torch.sqrt, {"0": 0, "inf": INF, "-1": -1}),
        ("rsqrt", torch.rsqrt, {"0": 0, "inf": INF, "-1": -1}),
        ("log", torch.log, {"0": 0, "inf": INF, "-1": -1}),
        ("reciprocal", torch.reciprocal, {"0": 0, "inf": INF}),
        ("square", torch.square, {"inf": INF}),
        ("exp", torch.exp, {"-inf": -INF, "inf": INF}),
        ("pow(x, 0)", lambda x: x.pow(0.0), {"0": 0, "inf": INF, "NaN": NAN}),
        ("pow(x, 0.5)", lambda x: x.pow(0.5), {"0": 0}),
        ("pow(x, 1)", lambda x: x.pow(1.0), {"0": 0, "NaN": NAN}),
        ("pow(x, -1)", lambda x: x.pow(-1.0), {"0": 0}),
        ("clamp(x, -1, 1)", lambda x: x.clamp(-1, 1), {"-1": -1, "1": 1, "inf": INF, "NaN": NAN}),
        ("x / 0", lambda x: x / 0.0, {"1": 1, "0": 0}),
        ("relu", F.relu, {"0": 0, "-inf": -INF, "inf": INF, "NaN": NAN}),
        ("leaky_relu(x, 0.25)", lambda x: F.leaky_relu(x, 0.25), {"0": 0, "-inf": -INF, "NaN": NAN}),
        ("tanh", torch.tanh, {"inf": INF, "NaN": NAN}),
        ("sigmoid", torch.sigmoid, {"-inf": -INF, "inf": INF, "NaN": NAN}),
        ("softplus", F.softplus, {"inf": INF, "-inf": -INF, "above the threshold": 20.5, "NaN": NAN}),
    ]:
        for where, point in points.items():
            case(op, where, function, [float(point)])


def layers():
    for op, activation in [
        ("linear_relu", F.relu),
        ("linear_leaky_relu, slope 0.25", lambda z: F.leaky_relu(z, 0.25)),
    ]:
        for where, point in {"0": 0.0, "NaN": NAN}.items():
            case(op, f"a z of {where}", lambda x: activation(F.linear(x, torch.ones(1, 1).double())), [point], shape=(1, 1))
    case("linear_tanh", "a z of inf", lambda x: torch.tanh(F.linear(x, torch.ones(1, 1).double())), [INF], shape=(1, 1))
    weight = torch.ones(1, 1, 1, 1).double()
    case("conv2d_relu", "a z of 0", lambda x: F.relu(F.conv2d(x, weight)), [0.0], shape=(1, 1, 1, 1))
    pooled = {"two largest": [1.0, 3.0, 3.0, 2.0], "nothing above 0": [-1.0, 0.0, 0.0, -2.0]}
    for where, values in pooled.items():
        case("conv2d_relu_max_pool2d", where, lambda x: F.max_pool2d(F.relu(F.conv2d(x, weight)), 2), values, shape=(1, 1, 2, 2))


def functions_of_two():
    for op, function in [("maximum", torch.maximum), ("minimum", torch.minimum)]:
        for where, a, b in [("a = b", 1, 1), ("both inf", INF, INF), ("a is NaN", NAN, 1), ("b is NaN", 1, NAN), ("both NaN", NAN, NAN)]:
            case(op, where, function, [float(a)], [float(b)])
    case("div", "b = 0", torch.div, [1.0], [0.0])
    case("div", "both inf", torch.div, [INF], [INF])


def over_several():
    for where, values in {"two largest": [1, 3, 3], "two inf": [INF, 0, INF], "a NaN": [1, NAN, 3]}.items():
        values = [float(v) for v in values]
        case("amax", where, lambda x: x.amax(0), values)
        case("max_pool2d", where, lambda x: F.max_pool2d(x, (1, 3)), values, shape=(1, 1, 1, 3))
    weights = torch.tensor([1.0, 2.0, 3.0]).double()
    for where, values in {"one -inf": [0, -INF, 0], "an inf": [0, INF, 0], "all -inf": [-INF] * 3}.items():
        values = [float(v) for v in values]
        case("softmax, gradient 1, 2, 3 from above", where, lambda x: F.softmax(x, 0) * weights, values)
        case("log_softmax, gradient 1, 2, 3 from above", where, lambda x: F.log_softmax(x, 0) * weights, values)

    def variation(x):
        return (x[..., 1:, :] - x[..., :-1, :]).abs().sum() + (x[..., :, 1:] - x[..., :, :-1]).abs().sum()

    case("total_variation", "equal neighbours", variation, [1.0, 1.0, 2.0], shape=(1, 1, 1, 3))
    case("total_variation", "a NaN", variation, [1.0, NAN, 2.0], shape=(1, 1, 1, 3))


def losses():
    for x in (INF, -INF):
        for t in (0.0, 0.5, 1.0):
            case("binary_cross_entropy_with_logits", f"x = {x}, t = {t:g}", F.binary_cross_entropy_with_logits, [x], [t])
    case("mse_loss", "x = inf", F.mse_loss, [INF], [0.0])
    case("mse_loss", "x = t = inf", F.mse_loss, [INF], [INF])


def normalisations():
    weights = torch.tensor([1.0, 2.0]).double()
    for eps in (1e-2, 0.0):
        case(f"instance_norm, eps {eps:g}, gradient 1, 2 from above", "a constant plane",
             lambda x: F.instance_norm(x, eps=eps) * weights, [5.0, 5.0], shape=(1, 1, 1, 2))
    case("batch_norm, eps 0.01, gradient 1, 2 from above", "a constant channel",
         lambda x: F.batch_norm(x, None, None, training=True, eps=1e-2) * weights[:, None], [5.0, 5.0], shape=(2, 1))
    case("batch_norm with statistics 0, 0.25", "inf, NaN",
         lambda x: F.batch_norm(x, torch.zeros(1).double(), torch.full((1,), 0.25).double(), eps=1e-30), [INF, NAN], shape=(2, 1))


def main():
    functions_of_one()
    layers()
    functions_of_two()
    over_several()
    losses()
    normalisations()
    lines = ",\n".join("  " + json.dumps(c) for c in cases)
    OUTPUT.write_text(f'{{"torch": "{torch.__version__.split("+")[0]}", "cases": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{OUTPUT}: {len(cases)} cases")


if __name__ == "__main__":
    main()
