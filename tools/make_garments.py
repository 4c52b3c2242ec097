#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes coloured garments on coloured grounds out of Fashion-MNIST, with captions that name garment and colour.

20 of the 100 pairs of a garment and a colour are left out of train/. They are in unseen/, the others in seen/, both made of
Fashion-MNIST's test pictures; captions.txt has a line for each of the 100."""

import argparse
import gzip
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from toolkit import ROOT, ToolError, run_tool, whole_number, write_whole

NAMES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
COLOURS = {"red": (214, 39, 40), "orange": (255, 140, 20), "yellow": (250, 225, 60), "green": (40, 160, 60), "turquoise": (70, 215, 205),
           "blue": (40, 80, 220), "purple": (130, 50, 170), "pink": (250, 150, 200), "brown": (125, 75, 35), "white": (245, 245, 245)}
TEMPLATES = ["a photo of a {colour} {name}", "a {colour} {name}", "the {name} is {colour}", "a {name} in {colour}", "one {colour} {name}"]
TEST_TEMPLATE = TEMPLATES[0]
SIDE = 32

EXAMPLES = """\
examples:
  python tools/fetch_data.py fashion-mnist
  python tools/make_garments.py                            30,000 pictures into build/data/garments
  build/release/bin/clip train --data build/data/garments/train --test build/data/garments/unseen --out build/clip
"""


def is_unseen(garment, colour):
    """Two colours of each garment and two garments of each colour."""
    return colour in ((3 * garment) % 10, (3 * garment + 5) % 10)


def read_idx(path, dimensions):
    packed = path.with_name(path.name + ".gz")
    try:
        data = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    except (OSError, EOFError) as error:
        raise ToolError(f"cannot read {path}: {error}; run tools/fetch_data.py fashion-mnist, or name its folder with --data") from None
    shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(dimensions)]
    if data[:4] != bytes([0, 0, 8, dimensions]) or len(data) != 4 + 4 * dimensions + np.prod(shape, dtype=np.int64):
        raise ToolError(f"{path} is not an IDX file of bytes in {dimensions} dimensions")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def ground(draw, colour):
    """A plain colour, a slope between two, or grain; on the whole not the garment's colour."""
    while True:
        a, b = draw.uniform(0, 255, (2, 3))
        kind = draw.integers(3)
        if kind == 0:
            picture = np.broadcast_to(a, (SIDE, SIDE, 3))
        elif kind == 1:
            along = np.linspace(0, 1, SIDE)[:, None, None]
            picture = np.broadcast_to(a * (1 - along) + b * along, (SIDE, SIDE, 3))
            picture = picture if draw.integers(2) else picture.transpose(1, 0, 2)
        else:
            picture = a + draw.normal(0, 30, (SIDE, SIDE, 3))
        if np.abs(picture.mean((0, 1)) - colour).sum() > 150:
            return picture


def paint(draw, garment, colour):
    """A garment (28,28) of bytes in a colour near the given one, in its lights and shades -> (SIDE,SIDE,3) of bytes."""
    light = np.zeros((SIDE, SIDE, 1))
    top, left = draw.integers(0, SIDE - 27, 2)
    light[top:top + 28, left:left + 28, 0] = garment / 255
    mask = np.clip(light * 5, 0, 1)
    tint = np.asarray(colour) + draw.normal(0, 10, 3)
    picture = ground(draw, colour) * (1 - mask) + tint * (0.35 + 0.65 * light) * mask
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def write_set(folder, count, pictures, labels, pairs, captions, draw):
    """`count` pictures of these pairs in turn, each pair's garments as they come in the data."""
    of_class = [np.flatnonzero(labels == garment) for garment in range(10)]
    used = [0] * 10
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        garment, colour = pairs[i % len(pairs)]
        name, (word, rgb) = NAMES[garment], list(COLOURS.items())[colour]
        one = pictures[of_class[garment][used[garment] % len(of_class[garment])]]
        used[garment] += 1
        text = captions[draw.integers(len(captions))].format(colour=word, name=name)
        Image.fromarray(paint(draw, one, rgb)).save(folder / f"{i:05}.png")
        (folder / f"{i:05}.txt").write_text(text + "\n")


def main():
    parser = argparse.ArgumentParser(prog="make_garments.py", description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "build" / "data" / "fashion-mnist", metavar="DIR", help="Fashion-MNIST's files")
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "data" / "garments", metavar="DIR", help="default: build/data/garments")
    parser.add_argument("--count", type=whole_number(100, 1_000_000), default=30_000, metavar="N", help="for training (default: 30000)")
    parser.add_argument("--tests", type=whole_number(100, 100_000), default=2_000, metavar="N", help="in seen/ and unseen/ (default: 2000 each)")
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="N")
    arguments = parser.parse_args()
    if (arguments.to / "train").exists():
        raise ToolError(f"{arguments.to} is there already; remove it, or name another folder with --to")
    read = {name: (read_idx(arguments.data / f"{name}-images-idx3-ubyte", 3), read_idx(arguments.data / f"{name}-labels-idx1-ubyte", 1))
            for name in ("train", "t10k")}
    pairs = [(garment, colour) for garment in range(10) for colour in range(10)]
    seen = [pair for pair in pairs if not is_unseen(*pair)]
    unseen = [pair for pair in pairs if is_unseen(*pair)]
    lines = [TEST_TEMPLATE.format(colour=list(COLOURS)[colour], name=NAMES[garment]) for garment, colour in pairs]
    for number, (name, count, (pictures, labels), of, captions) in enumerate((
            ("train", arguments.count, read["train"], seen, TEMPLATES), ("seen", arguments.tests, read["t10k"], seen, [TEST_TEMPLATE]),
            ("unseen", arguments.tests, read["t10k"], unseen, [TEST_TEMPLATE]))):
        write_set(arguments.to / name, count, pictures, labels, of, captions, np.random.default_rng([arguments.seed, number]))
        print(f"{arguments.to / name}  ({count} pictures of {len(of)} pairs)", flush=True)
    write_whole(arguments.to / "captions.txt", [("\n".join(lines) + "\n").encode()])
    return 0


if __name__ == "__main__":
    sys.exit(run_tool("make_garments", main))
