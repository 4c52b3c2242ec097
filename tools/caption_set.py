# SPDX-License-Identifier: MIT
"""Makes a folder of pictures with captions, train/ and test/, of the sources in caption_sources.py.

name.png is a picture on white, its longer side at most SIDE, name.txt its caption: what framework/data/picture_folder.h reads.
"""

import collections
import concurrent.futures
import hashlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import caption_sources
import debian_packages
from toolkit import ToolError, explain_os_error, one_line

SIDE = 256
LEAST_INK = 0.01  # share of the pixels that are not white
NEARLY_WHITE = 250
TEST_SHARE = 0.1
DRAWING_SECONDS = 20


def draw(svg):
    """The bytes of a PNG, or None if the drawing cannot be drawn."""
    command = ["rsvg-convert", "--width", str(SIDE), "--height", str(SIDE), "--keep-aspect-ratio", "--format", "png"]
    try:
        done = subprocess.run(command, input=svg, capture_output=True, check=False, timeout=DRAWING_SECONDS)
    except FileNotFoundError:
        raise ToolError("rsvg-convert draws the clip art and is not there: apt-get install librsvg2-bin") from None
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 and done.stdout else None


def on_white(data):
    """The picture on white, no larger than SIDE, or None if it cannot be read."""
    from PIL import Image

    png = data if data[:4] == b"\x89PNG" else draw(data)
    try:
        picture = Image.open(io.BytesIO(png)).convert("RGBA") if png else None
    except (OSError, ValueError, SyntaxError):
        picture = None
    if picture is None:
        return None
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    picture = white.convert("RGB")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return picture


def ink(picture):
    import numpy as np

    return float((np.asarray(picture) < NEARLY_WHITE).any(axis=2).mean())


def collect(name, deb, left, seen):
    """[(name, caption, PNG, hash of the drawing)] of a source; drawings of clip art that were there before are left out."""
    items = list(caption_sources.SOURCES[name](deb, left))
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        pictures = pool.map(on_white, [data for _, _, data in items])
        for (place, caption, _), picture in zip(items, pictures):
            if picture is None:
                left["cannot be drawn or read"] += 1
                continue
            if ink(picture) < LEAST_INK:
                left["blank, or nearly"] += 1
                continue
            digest = hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest()
            if name == "clip-art" and digest in seen:
                left["draws the same as another"] += 1
                continue
            seen.add(digest)
            buffer = io.BytesIO()
            picture.save(buffer, "PNG")
            yield f"{name}/{re.sub(r'[^A-Za-z0-9]+', '-', place).strip('-')}", caption, buffer.getvalue(), digest


def sides(items):
    """{index: "train" or "test"}: about a tenth of the pictures in test. What draws the same, and equal captions whatever their case,
    stay together; which groups are in test depends on their captions alone, not on their order."""
    parent = list(range(len(items)))

    def root(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first = {}
    for i, (_, caption, _, digest) in enumerate(items):
        for key in (("caption", caption.casefold().rstrip(". ")), ("drawing", digest)):
            parent[root(i)] = root(first.setdefault(key, i))
    groups = collections.defaultdict(list)
    for i in range(len(items)):
        groups[root(i)].append(i)
    rank = {at: hashlib.sha256(min(items[i][1].casefold() for i in group).encode()).hexdigest() for at, group in groups.items()}
    found, left = {}, round(TEST_SHARE * len(items))
    for at in sorted(groups, key=lambda at: (rank[at], at)):
        side = "test" if len(groups[at]) <= left else "train"
        left -= len(groups[at]) if side == "test" else 0
        found |= dict.fromkeys(groups[at], side)
    return found


def fetch(pins, arguments, log):
    """Makes arguments.to, unless it is there."""
    report_path = arguments.to / "report.json"
    if report_path.is_file():
        log(f"{arguments.to} is there; remove it to make it anew")
        return show(json.loads(report_path.read_text(encoding="utf-8")), log)
    if arguments.to.exists() and any(arguments.to.iterdir()):
        raise ToolError(f"{arguments.to} is not empty, and not of this program; name another folder with --to")
    for module in ("PIL", "numpy", "fontTools"):
        if importlib.util.find_spec(module) is None:
            raise ToolError(f"{module} is missing; install it with: pip install -r tools/requirements.txt")
    items, report, seen = [], {"sources": {}}, set()
    for name, pin in pins.items():
        deb, version, known = debian_packages.fetch(pin, arguments.cache, log, arguments.source)
        left = caption_sources.Left()
        log(f"reading {pin['package']} {version}" + (", drawing it (a minute or two)" if name == "clip-art" else ""))
        found = list(collect(name, deb, left, seen))
        items += found
        report["sources"][name] = {"package": pin["package"], "version": version, "known_version": known, "licence": pin["licence"],
                                   "kept": len(found), "left_out": dict(left.most_common())}
    if not items:
        raise ToolError("the packages hold no picture with a caption")
    side_of = sides(items)
    counts = collections.Counter(side_of.values())
    report |= {"train": counts["train"], "test": counts["test"], "captions": len({caption.casefold() for _, caption, _, _ in items})}
    write(arguments.to, items, side_of, report)
    show(report, log)
    return None


def write(folder, items, side_of, report):
    """All of it beside the folder first, then renamed."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".captions-") as holder:
            made, names = Path(holder) / "made", set()
            for i, (name, caption, png, _) in enumerate(items):
                while name in names:
                    name += "-2"
                names.add(name)
                path = made / side_of[i] / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(png)
                path.with_suffix(".txt").write_text(caption + "\n", encoding="utf-8")
            (made / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
            if folder.is_dir():
                folder.rmdir()  # empty
            shutil.move(made, folder)
    except OSError as error:
        raise explain_os_error(error, folder, "write") from None


def show(report, log):
    for name, source in report["sources"].items():
        log(f"{name}: {source['kept']} of {source['package']} {source['version']}{'' if source['known_version'] else ' (not tried)'}, {source['licence']}")
        for reason, count in source["left_out"].items():
            log(f"    left out {count:5}: {one_line(reason)}")
    log(f"{report['train']} pictures to train with, {report['test']} to test, {report['captions']} different captions")
