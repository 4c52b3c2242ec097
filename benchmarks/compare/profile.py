# SPDX-License-Identifier: MIT
"""Reads what `style_transfer --profile` writes: op,pass,shape,calls,seconds, summed over the profiled iterations."""

import csv
import math
import re
from dataclasses import dataclass

from toolkit import ToolError, explain_os_error

from .work import FLOAT, Work


@dataclass
class Row:
    op: str  # "gram backward"; for what is no op, its name
    shape: str  # "1x3x64x64 64x3x3x3 64 -> 1x64x64x64"
    calls: int
    seconds: float


def read(path):
    """(rows, iterations); the optimiser runs once per iteration."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [Row(row["op"] if row["pass"] == "other" else f"{row['op']} {row['pass']}", row["shape"], int(row["calls"]),
                        float(row["seconds"])) for row in csv.DictReader(file)]
    except OSError as error:
        raise explain_os_error(error, path, "read") from None
    except (KeyError, TypeError, ValueError):
        raise ToolError(f"{path}: not a profile of style_transfer") from None
    iterations = sum(row.calls for row in rows if row.op == "optimizer")
    if not iterations:
        raise ToolError(f"{path}: a profile without an iteration")
    return rows, iterations


def shares(rows, iterations):
    """[{op, share, seconds, calls, flops, bytes}]: per iteration, the costliest first; flops is 0 where no convolution is."""
    total = sum(row.seconds for row in rows)
    sums = {}
    for row in rows:
        one = sums.setdefault(row.op, {"op": row.op, "share": 0.0, "seconds": 0.0, "calls": 0.0, "flops": 0.0, "bytes": 0.0})
        one["seconds"] += row.seconds / iterations
        one["calls"] += row.calls / iterations
        one["flops"] += direct_flops(row) * row.calls / iterations
        one["bytes"] += moved_bytes(row) * row.calls / iterations
    for one in sums.values():
        one["share"] = one["seconds"] * iterations / total if total else 0.0
    return sorted(sums.values(), key=lambda one: -one["seconds"])


def work(rows, iterations):
    """Of an iteration; what is no convolution counts in the bytes alone."""
    return Work(sum(direct_flops(row) * row.calls for row in rows) / iterations, sum(moved_bytes(row) * row.calls for row in rows) / iterations)


def moved_bytes(row):
    """Of one call that reads its operands once and writes its result; backward, their gradients go the other way."""
    return FLOAT * sum(math.prod(map(int, word.split("x"))) for word in row.shape.split() if re.fullmatch(r"\d+(x\d+)*", word))


def direct_flops(row):
    """Multiplications and additions of one call by the definition of convolution, whatever the algorithm does: 2 per weight
    and output position; the gradient by the input has as many. 0 for any other op."""
    shape = convolution(row)
    return 2 * shape["k"] * shape["c"] * shape["r"] * shape["s"] * shape["n"] * shape["height"] * shape["width"] if shape else 0


def convolution(row):
    """The sizes of a convolution's weight (K,C,R,S) and result (N,K,H,W), before a pooling that is part of it; None for any other
    op."""
    if not row.op.startswith("conv2d"):
        return None
    found = re.fullmatch(r"\S+ (\d+)x(\d+)x(\d+)x(\d+)(?: \S+)* -> (\d+)x\d+x(\d+)x(\d+)", row.shape)
    if not found:
        return None
    shape = dict(zip(("k", "c", "r", "s", "n", "height", "width"), map(int, found.groups())))
    if "max_pool2d" in row.op:
        shape["height"], shape["width"] = 2 * shape["height"], 2 * shape["width"]
    return shape


def convolutions(rows, iterations):
    """[{layer, calls, forward, backward}] in the network's order: larger maps first, then fewer channels. `forward` and `backward` are
    (seconds, flops, bytes) of one call, or None."""
    table = {}
    for row in rows:
        shape = convolution(row)
        if not shape:
            continue
        place = (-shape["height"] * shape["width"], shape["k"], shape["c"], shape["r"], shape["s"], shape["height"], shape["width"])
        one = table.setdefault(place, {})
        calls, seconds = one.get(backward := row.op.endswith("backward"), (0, 0.0))
        one[backward] = (calls + row.calls, seconds + row.seconds)
        one["flops"], one["bytes"] = direct_flops(row), moved_bytes(row)
    lines = []
    for (_, k, c, r, s, height, width), one in sorted(table.items()):
        cells = [(one[way][1] / one[way][0], one["flops"], one["bytes"]) if way in one else None for way in (False, True)]
        calls = max(one[way][0] for way in (False, True) if way in one) / iterations
        lines.append({"layer": f"{r}x{s}, {c} -> {k} at {height}x{width}", "calls": calls, "forward": cells[0], "backward": cells[1]})
    return lines
