# SPDX-License-Identifier: MIT
"""How our time and memory grow with the picture."""

import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

from toolkit import ToolError, write_whole

from . import figures, pictures, profile
from .process import last_line

SIZES = (128, 256, 512, 768, 1024)


def measure(programs, sizes, pair, iterations, repeats, log=print):
    """[{size, iteration, peak_bytes, start_to_first, runs}]: style_transfer alone. `pair`: the paths of content and style."""
    runs = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory(prefix="lily-nst-") as folder:
        for size in sizes:
            for path, name in zip(pair, ("content", "style")):
                pictures.prepare(path, size, folder, f"{name}{size}")
        for repeat in range(repeats):
            for size in sizes:
                run = programs.ours(size, f"{folder}/content{size}.png", f"{folder}/style{size}.png", iterations, folder)
                runs[size].append(run)
                log(f"  {size}x{size}, round {repeat + 1} of {repeats}: {figures.iteration_seconds(run.seconds):.4f} s/iteration, "
                    f"{run.peak_bytes / 1e6:.0f} MB")
        return [{"size": size, **figures.Side.of(many).plain(), "work": work_of(programs, size, folder)} for size, many in runs.items()]


def work_of(programs, size, folder):
    """What the ops of an iteration have to do, as compare/work.py has it."""
    csv = Path(folder) / "profile.csv"
    programs.ours(size, f"{folder}/content{size}.png", f"{folder}/style{size}.png", 3, folder, ("--profile", csv))
    return asdict(profile.work(*profile.read(csv)))


def plot_script(points, title):
    """gnuplot: time and memory over pixels, each with the line that fits best."""
    panels = []
    for key, label, factor in (("iteration", "seconds per iteration", 1.0), ("peak_bytes", "peak memory, MB", 1e-6)):
        values = [(point["size"] ** 2 / 1e6, *(point[key][part] * factor for part in ("median", "least", "most"))) for point in points]
        a, b = figures.slope([(x, y) for x, y, _, _ in values])
        rows = "\n".join(f"{x:.9g} {y:.9g} {low:.9g} {high:.9g}" for x, y, low, high in values)
        panels.append(f"""set ylabel '{label}'
$data << EOD
{rows}
EOD
plot {a:.9g} + {b:.9g} * x with lines lw 1.5 lc rgb '#bbbbbb' title '{a:.4g} + {b:.4g} per megapixel', \\
  $data using 1:2:3:4 with yerrorbars pt 7 ps 0.7 lw 1.5 lc rgb '#0072b2' title 'measured, median and spread'
""")
    quoted = title.replace("'", "''")
    top = max(point["size"] ** 2 for point in points) / 1e6
    return f"""set encoding utf8
set terminal svg size 960,420 enhanced font 'DejaVu Sans,Helvetica,sans-serif,13' background 'white'
set border 3 lc rgb '#888888'
set grid xtics ytics lc rgb '#dddddd' lt 1 lw 0.7
set tics nomirror out textcolor rgb '#333333'
set key left top Left reverse noenhanced samplen 2
set xlabel 'megapixels'
set xrange [0:{top * 1.05:.9g}]
set yrange [0:*]
set multiplot layout 1,2 title '{quoted}' noenhanced
{panels[0]}{panels[1]}unset multiplot
"""


def plot(path, points, title):
    """Draws the points into an SVG file with gnuplot."""
    try:
        done = subprocess.run(["gnuplot", "-d", "-"], input=plot_script(points, title).encode(), capture_output=True, check=False)
    except OSError:
        raise ToolError("plots need gnuplot: apt-get install gnuplot-nox") from None
    if done.returncode or b"</svg>" not in done.stdout:
        raise ToolError(f"gnuplot failed: {last_line(done.stderr.decode(errors='replace'))}")
    write_whole(path, [done.stdout])
