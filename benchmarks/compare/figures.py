# SPDX-License-Identifier: MIT
"""From runs to figures: medians, spreads, ratios, how far two curves are apart."""

import math
from dataclasses import asdict, dataclass
from statistics import median

MEASURES = ("iteration", "start_to_first", "peak_bytes")  # of Side
LEFT_OUT = 2  # first iterations of a run, which prepare: memory, weights, compilation


@dataclass
class Figure:
    """The repeats of one measurement."""
    median: float
    least: float
    most: float

    @staticmethod
    def of(values):
        return Figure(median(values), min(values), max(values))


@dataclass
class Side:
    """What the runs of one program, or of one mode of it, gave."""
    iteration: Figure  # seconds; of each run the median of its iterations after the first two
    start_to_first: Figure  # seconds
    peak_bytes: Figure
    cuda_library_bytes: Figure  # of the peak
    runs: int

    @staticmethod
    def of(runs):
        return Side(Figure.of([iteration_seconds(run.seconds) for run in runs]), Figure.of([run.start_to_first for run in runs]),
                    Figure.of([run.peak_bytes for run in runs]), Figure.of([run.cuda_library_bytes for run in runs]), len(runs))

    def plain(self):
        return asdict(self)


def iteration_seconds(seconds):
    """The median of a run's iterations but the first two; of all, if there are no others."""
    return median(seconds[LEFT_OUT:] or seconds)


def curve_distance(ours, theirs):
    """The largest |a - b| / |b| over the iterations that both ran; infinite where one of them is no number."""
    worst = 0.0
    for a, b in zip(ours, theirs):
        if not (math.isfinite(a) and math.isfinite(b)) or (b == 0 and a != 0):
            return math.inf
        worst = max(worst, abs(a - b) / abs(b) if b else 0.0)
    return worst


def best(sides, measure):
    """The name of the side whose median `measure` (a field of Side) is least."""
    return min(sides, key=lambda name: getattr(sides[name], measure).median)


def slope(points):
    """(a, b) of the line y = a + b x with the least squared distance to (x, y) points; b is 0 for a single x."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    b = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return mean_y - b * mean_x, b


def ratio(modes, ours, measure):
    """The best of the others over ours: above 1, ours takes less."""
    name = best(modes, measure)
    return {"mode": name, "ratio": getattr(modes[name], measure).median / getattr(ours, measure).median}
