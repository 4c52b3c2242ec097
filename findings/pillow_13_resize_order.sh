#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Pillow 13.0.0 gives other pixels than Pillow 12.0.0 for the same Image.resize: it scales the columns before the rows if the picture loses more
# than twice as many rows as columns, and rounds between the two passes as before. With a shorter side of 224, as CLIP
# wants it, that is nearly every picture more than twice as tall as wide: up to 13 levels of 255 in the noise below. Pillow 13 also no
# longer wraps 16-bit values beyond 65,535 between the passes. So a model's input depends on the version of Pillow that
# prepared it; framework/io/pillow_resize.h has the order of all versions before 13.
# Fails when a version behaves otherwise. Needs the network (pip, about 50 MB) and some seconds.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/resize.py" <<'PYTHON'
import sys
import numpy as np
import PIL
from PIL import Image

rng = np.random.default_rng(0)
sizes = ((297, 735), (381, 782), (300, 590), (767, 1023), (735, 297))
for number, (width, height) in enumerate(sizes):
    picture = Image.fromarray(rng.integers(0, 256, (height, width), dtype="u1"))
    shorter = min(width, height)
    sides = 224 * width // shorter, 224 * height // shorter
    resized = picture.resize(sides, Image.Resampling.BICUBIC)
    rows_first = picture.resize((sides[0], height), Image.Resampling.BICUBIC).resize(sides, Image.Resampling.BICUBIC)
    columns_first = picture.resize((width, sides[1]), Image.Resampling.BICUBIC).resize(sides, Image.Resampling.BICUBIC)
    a, b, c = (np.asarray(x).astype(int) for x in (resized, rows_first, columns_first))
    order = "rows first" if (a == b).all() else "columns first" if (a == c).all() else "neither"
    print(f"Pillow {PIL.__version__}: {width}x{height} to {sides[0]}x{sides[1]}: {order}; the orders differ by up to {abs(b - c).max()}")
    late = PIL.__version__.startswith("13.") and height - sides[1] > 2 * max(0, width - sides[0])
    assert order == ("columns first" if late else "rows first"), "the order is another one: the finding is out of date"
PYTHON
for version in 12.0.0 13.0.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "pillow==$version" numpy==2.4.6
    "$folder/$version/bin/python" "$folder/resize.py"
done
