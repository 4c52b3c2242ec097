#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes optim.safetensors: optimisers with parameter groups, and schedules one after the other, computed by PyTorch in f64."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import optim

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
from safetensors_file import write_safetensors  # noqa: E402

OUTPUT = HERE / "optim.safetensors"
STEPS = 20
# (lr, weight decay) of the vector p and of the matrix m
GROUPS = ((0.1, 0.1), (0.02, 0.0))
KINDS = {"sgd": (optim.SGD, dict(momentum=0.9, dampening=0.1)), "adam": (optim.Adam, dict(betas=(0.5, 0.99), eps=1e-8)),
         "adamw": (optim.AdamW, dict(betas=(0.9, 0.999), eps=1e-8))}


def start():
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((2,), (2, 3))]


def groups_of(values):
    return [{"params": [v], "lr": lr, "weight_decay": decay} for v, (lr, decay) in zip(values, GROUPS)]


def loss_of(values):
    return sum(((v - 0.5) ** 2 / 2 + v ** 4 / 4).sum() for v in values)


def with_groups(name, kind, options, tensors):
    """The start and 20 steps of both parameters."""
    values = [torch.nn.Parameter(v) for v in start()]
    optimiser = kind(groups_of(values), **options)
    paths = [[v.detach().clone().numpy()] for v in values]
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss_of(values).backward()
        optimiser.step()
        for path, value in zip(paths, values):
            path.append(value.detach().clone().numpy())
    for key, path in zip(("p", "m"), paths):
        tensors[f"groups.{name}/{key}"] = np.stack(path)


def rates(name, make, tensors):
    """(steps, groups): the rates that each step uses."""
    optimiser = optim.SGD(groups_of([torch.nn.Parameter(v) for v in start()]))
    scheduler = make(optimiser)
    rows = []
    for _ in range(STEPS):
        rows.append([group["lr"] for group in optimiser.param_groups])
        optimiser.step()
        scheduler.step()
    tensors[f"schedule.{name}"] = np.array(rows)


def main():
    tensors = {}
    for name, (kind, options) in KINDS.items():
        with_groups(name, kind, options, tensors)
    schedules = optim.lr_scheduler
    rates("warm_up_cosine", lambda o: schedules.SequentialLR(
        o, [schedules.LinearLR(o, start_factor=0.1, total_iters=5), schedules.CosineAnnealingLR(o, T_max=15, eta_min=0.001)],
        milestones=[5]), tensors)
    rates("three", lambda o: schedules.SequentialLR(
        o, [schedules.LinearLR(o, start_factor=0.25, total_iters=3), schedules.ExponentialLR(o, gamma=0.9),
            schedules.StepLR(o, step_size=2, gamma=0.5)], milestones=[3, 11]), tensors)
    write_safetensors(OUTPUT, tensors, {"torch": torch.__version__})
    print(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
