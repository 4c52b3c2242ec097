# SPDX-License-Identifier: MIT
"""How much an iteration has to compute and to move at least, and what part of the machine's limits that is."""

from dataclasses import dataclass

FLOAT = 4  # bytes


@dataclass
class Work:
    """Multiplications and additions by definition, whatever the algorithm does; bytes if every op reads each operand once and writes
    each result once."""
    flops: float = 0.0
    bytes: float = 0.0

    def __add__(self, other):
        return Work(self.flops + other.flops, self.bytes + other.bytes)


def product(m, n, k):
    """(m,k) times (k,n)"""
    return Work(2 * m * n * k, FLOAT * (m * n + m * k + k * n))


HEADER = f"{'% peak':>8}{'% memory':>10}"


def parts(work, seconds, machine):
    """Of the machine's multiply-adds and of its memory bandwidth, as HEADER has them; caches may serve more than the memory could."""
    if not seconds:
        return f"{'-':>8}{'-':>10}"
    flops = work.flops / seconds / 1e9 / machine["fma_gflops"]
    moved = work.bytes / seconds / 1e9 / max(machine["copy_gbytes"], machine["triad_gbytes"])
    return f"{100 * flops:8.1f}{100 * moved:10.1f}"
