#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Paint a lily pond at dusk: the style picture of the style transfer example.

A procedural scene is painted with curved brush strokes of several sizes, from coarse to fine, after
A. Hertzmann, "Painterly rendering with curved brush strokes of multiple sizes" (SIGGRAPH 1998).
Every stroke adds to a height map, which is lit from the upper left at the end. Needs numpy and pillow.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image
from toolkit import whole_number

EXAMPLES = """examples:
  paint_lily_pond.py                                    the committed picture
  paint_lily_pond.py --size 384 --output small.jpg      a quick, small one
  paint_lily_pond.py --seed 1926 --output another.png   another pond, lossless"""
DESIGN_WIDTH = 768  # the picture width at which brush sizes in pixels are meant


def colour(code):
    """Turn 'rrggbb' into three floats in [0, 1]."""
    return np.array([int(code[i:i + 2], 16) for i in (0, 2, 4)], np.float32) / 255


# The paints on the palette: blues, violets, greens, roses, ambers. A stroke leans towards one of them.
PIGMENTS = np.stack([colour(c) for c in (
    "141a4a 1f2f86 2f55b4 5c86d6 9db9ea 35205e 5d3a94 8f66bf c3a0dc 0d3a3e 14604f 2f8a5c 7fae4e b9cc6a "
    "7a1f55 b93a6c e56b86 f5a9ac fbdcd6 b4521f e8812e f7b045 fbd67e fdf0c9").split()])
# Islands of pads: x, y, half width, number of pads, number of flowers (lengths in picture heights).
ISLANDS = [(0.12, 0.075, 0.15, 13, 0), (0.47, 0.10, 0.10, 8, 0), (1.06, 0.15, 0.16, 15, 1),
           (0.25, 0.31, 0.22, 19, 2), (0.99, 0.43, 0.19, 13, 1), (0.55, 0.545, 0.13, 8, 1),
           (0.12, 0.75, 0.21, 13, 1), (0.87, 0.86, 0.31, 19, 3)]
# Leaves from shade to light, and flowers: shade, body, light.
LEAVES = [("1d5a58", "3c8a5e", "7fae62", "d3d884"), ("2a5490", "4585a0", "78b2a4", "cfe2b8"),
          ("4a4484", "5f8578", "96b070", "ecd890"), ("7a3a68", "b06468", "d89a6c", "f6d898")]
FLOWERS = [("a77fc0", "f6c6cc", "fff4e2"), ("a04f98", "ee8fa8", "fde0d4"), ("7c2a6c", "d8588a", "f9b8b4")]
SHADOW = "1b1850"
# The brushes in turn: radius, grid spacing / radius, least error worth a stroke, most control points,
# liveliness of the colours, and how far the errors off pads and flowers are ignored.
LAYERS = [(24.0, 0.70, 0.00, 7, 0.8, 0.00), (13.0, 0.80, 0.00, 8, 1.0, 0.00), (8.0, 0.95, 0.20, 9, 1.0, 0.30),
          (4.8, 1.10, 0.26, 8, 0.8, 0.70), (2.8, 1.30, 0.30, 7, 0.6, 0.95)]
LAMP = np.array([-0.502, -0.622, 0.602])  # a unit vector from the canvas to the upper left


def mix(a, b, t):
    """Blend images or colours a -> b by the (h, w) weight t."""
    return a + (b - a) * t[..., None]


def smoothstep(lo, hi, x):
    """0 at lo and before, 1 at hi and beyond, a smooth ramp between."""
    t = np.clip((x - lo) / (hi - lo), 0, 1)
    return t * t * (3 - 2 * t)


def ramp(t, *stops):
    """Colour gradient through evenly spaced stops, t in [0, 1]."""
    table = np.stack([colour(c) for c in stops])
    return np.stack([np.interp(t, np.linspace(0, 1, len(stops)), k) for k in table.T], -1).astype(np.float32)


def noise(rng, shape, rows, cols):
    """Smooth noise with about rows x cols bumps, zero mean, unit deviation."""
    grid = rng.standard_normal((rows + 3, cols + 3)).astype(np.float32)
    field = np.asarray(Image.fromarray(grid).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))
    return (field - field.mean()) / field.std()


def blur(image, sigma):
    """Separable Gaussian blur with mirrored edges."""
    reach = max(1, int(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (0, 1):
        padded = np.pad(image, [(reach * (k == axis),) * 2 for k in range(image.ndim)], mode="reflect")
        image = sum(k * padded.take(range(i, i + image.shape[axis]), axis) for i, k in enumerate(kernel))
    return image


def spline(points, per_segment):
    """Sample the uniform cubic B-spline of the control points, from the first to the last."""
    p = np.concatenate([points[:1], points[:1], points, points[-1:], points[-1:]])
    t = (np.arange(per_segment, dtype=np.float32) / per_segment)[:, None, None]
    curve = ((1 - t) ** 3 * p[:-3] + (3 * t ** 3 - 6 * t ** 2 + 4) * p[1:-2]
             + (-3 * t ** 3 + 3 * t ** 2 + 3 * t + 1) * p[2:-1] + t ** 3 * p[3:]) / 6
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), points[-1:]])


class Pond:
    """The scene to paint: colours, brush direction, places for fine strokes, and the last touches."""

    def __init__(self, width, rng):
        self.rng, self.shape = rng, (round(width * 5 / 6), width)
        h, w = self.shape
        self.y, self.x = (np.mgrid[:h, :w].astype(np.float32) + 0.5) / h
        self.detail = np.zeros(self.shape, np.float32)
        self.touches = []  # (points, radius, colour, second colour, taper), lengths in picture heights
        self.paint_water()
        flowers = [flower for island in ISLANDS for flower in self.paint_island(*island)]
        for k, (fx, fy) in enumerate(sorted(flowers, key=lambda f: f[1])):
            self.paint_flower(fx, fy, FLOWERS[k % len(FLOWERS)])
        self.rgb = np.clip(self.rgb, 0, 1)

    def paint_water(self):
        """Sunset sky and willows, mirrored upside down in rippled water."""
        rng, y, shape = self.rng, self.y, self.shape
        distance = np.minimum((2 * shape[0] * y ** 0.65).astype(int), 2 * shape[0] - 1)
        wide, fine = (noise(rng, (2 * shape[0], shape[1]), rows, cols)[distance, np.arange(shape[1])]
                      for rows, cols in ((22, 5), (60, 9)))  # ripples get closer with distance
        x = self.x + 0.030 * wide + 0.016 * fine
        near = np.clip(y + 0.03 * wide, 0, 1)  # the top of the picture is far away
        dusk = ramp(near, "a58cc8", "7280c8", "4565b4", "2f4796", "26286e")
        clouds = smoothstep(0.2, 1.6, noise(rng, shape, 9, 4) + 0.4 * fine)
        dusk = mix(dusk, ramp(near, "f0aaa0", "d38db4", "a47cc0", "7565b4"), 0.8 * clouds)
        centre = 0.68 + 0.13 * np.sin(4.3 * y + 0.5) - 0.12 * y
        gleam = np.exp(-((x - centre) / (0.14 + 0.10 * y)) ** 2)
        glow = ramp(near, "fdeebb", "fbc968", "f09a48", "e4735e", "c2608c", "8a55a2")
        water = mix(dusk, glow, smoothstep(0.10, 0.75, gleam))
        trails = noise(rng, shape, 1, 13) + 0.7 * noise(rng, shape, 2, 46)
        willow = smoothstep(-0.4, 0.9, trails + 0.5 * fine + 0.3 - 3.2 * gleam)
        leaves = mix(ramp(near, "2a6458", "174a54", "16335c", "17194a"), colour("4f8248"),
                     0.7 * smoothstep(0.4, 1.8, noise(rng, shape, 4, 50)))
        water = mix(water, leaves, 0.9 * willow * (1 - 0.6 * smoothstep(0.2, 1.2, -fine - 0.5 * wide)))
        crest = smoothstep(0.8, 1.6, fine + 0.4 * wide) * (1 - gleam)
        water = mix(water, ramp(near, "f9c890", "f09c94", "c58ccc", "8fa0e4"), 0.75 * crest)
        trough = 0.6 * smoothstep(0.7, 1.7, -fine)
        self.rgb = mix(water, ramp(near, "b8609a", "8052a4", "43409c"), trough * gleam)
        upright = smoothstep(0.2, 0.6, blur(willow, 0.008 * shape[1]))
        self.angle = (0.45 - 0.3 * upright) * noise(rng, shape, 7, 5) + 0.2 * wide + upright * (np.pi / 2)

    def paint_island(self, cx, cy, spread, count, flowers):
        """Scatter overlapping pads around (cx, cy); return the places of its flowers."""
        rng, placed = self.rng, []
        for _ in range(60 * count):
            px, py = (cx, cy) + rng.normal(0, 0.55, 2) * (spread, 0.34 * spread)
            radius = (0.024 + 0.056 * py) * rng.uniform(0.6, 1.35)
            free = all(np.hypot(px - qx, (py - qy) / 0.38) > 0.72 * (radius + qr) for qx, qy, qr in placed)
            if free and len(placed) < count:
                placed.append((px, py, radius))
        for px, py, radius in sorted(placed, key=lambda p: p[1]):
            self.paint_pad(px, py, radius)
        return [placed[k][:2] for k in rng.permutation(min(6, len(placed)))[:flowers]]

    def paint_pad(self, px, py, radius):
        """One notched leaf seen at a low angle, its shadow, and touches of light along its rim."""
        rng, flat = self.rng, 0.32 + 0.08 * py
        dx, dy = (self.x - px) / radius, (self.y - py) / (flat * radius)
        reach, turn = np.hypot(dx, dy), np.arctan2(dy, dx)
        below = np.hypot(dx + 0.1, 0.85 * (dy - 0.4))
        self.rgb = mix(self.rgb, colour(SHADOW), 0.55 * smoothstep(1.3, 0.7, below))
        gap = rng.uniform(-0.4, 3.5)
        notch = np.abs((turn - gap + np.pi) % (2 * np.pi) - np.pi)
        inside = smoothstep(1, 1 - 0.012 / radius, reach) * smoothstep(0.22, 0.32, notch)
        stops = LEAVES[rng.choice(4, p=(0.4, 0.3, 0.2, 0.1))]
        sheen = np.clip(0.5 - 0.1 * dy - 0.2 * dx + 0.25 * np.sin(8 * turn) * reach, 0, 1)
        self.rgb = mix(self.rgb, ramp(sheen, *stops), inside)
        self.angle = np.where(inside > 0.5, np.arctan2(flat * dy, dx), self.angle)
        self.detail = np.maximum(self.detail, 0.5 * smoothstep(1.2, 1.0, reach))

        def touch(turns, at, width, paint, second):
            points = np.stack([px + at * radius * np.cos(turns), py + at * flat * radius * np.sin(turns)], -1)
            self.touches.append((points, width * radius, colour(paint), colour(second), 0.6))
        touch(np.full(3, gap), np.array([1.0, 0.6, 0.25]), 0.09, SHADOW, "2f4a78")
        touch(np.linspace(0.5, 2.4, 5), 1.03, 0.06, SHADOW, stops[1])
        arc = rng.uniform(2.7, 3.6) + np.linspace(0, rng.uniform(1.0, 2.4), 5)
        touch(arc, 0.95, 0.075, stops[3], rng.choice(("f6cfa0", "e8e0a0", "c9b0e0", "f2a8a0")))
        for vein in gap + np.linspace(0.6, 5.7, 7 if radius > 0.045 else 3) + rng.normal(0, 0.1):
            touch(np.full(3, vein), np.array([0.9, 0.6, 0.25]), 0.085, *rng.permutation(stops[1:3]))

    def paint_flower(self, fx, fy, palette):
        """A water lily: a mirrored smudge in the water, then one touch of the brush per petal."""
        rng, size = self.rng, (0.027 + 0.036 * fy) * self.rng.uniform(0.9, 1.15)
        shade, body, light = (colour(c) for c in palette)
        dx, dy = (self.x - fx) / size, (self.y - fy) / size
        self.rgb = mix(self.rgb, body, 0.6 * np.exp(-(dx / 0.6) ** 2 - ((dy - 0.9) / 0.7) ** 2))
        self.rgb = mix(self.rgb, body, smoothstep(1.1, 0.7, np.hypot(dx, 1.7 * (dy + 0.3))))
        self.detail = np.maximum(self.detail, smoothstep(1.1, 0.8, np.hypot(dx / 1.5, (dy + 0.3) / 1.1)))
        heart = np.array([[-0.16, -0.42], [0.0, -0.33], [0.16, -0.36]])  # behind the front petals
        touches = [(0.1, heart, 0.17, colour("f9c040"), colour("e0802a"), 0)]
        for length, lift, count in ((1.15, 0.22, 8), (0.75, 0.45, 6)):
            for turn in np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.uniform(0, 1):
                side, depth = np.cos(turn), np.sin(turn)
                root = np.array((0.12 * side, -0.12 + 0.1 * depth))
                tip = np.array((length * side, 0.45 * length * depth - lift - 0.25 * (depth < 0)))
                bow = (tip + root) / 2 + (0.05 * (tip[0] - root[0]), 0.10)
                lit = np.clip(0.6 - 0.3 * side - 0.25 * depth + rng.normal(0, 0.12), 0, 1)
                paint = body + (light - body) * lit if lit > 0.35 else shade + (body - shade) * lit / 0.35
                second = (paint + (light if lit > 0.5 else shade)) / 2
                touches.append((depth, np.array([tip, bow, root]), 0.26, paint, second, 0.75))
        self.touches += [(points * size + (fx, fy), width * size, *rest)
                         for _, points, width, *rest in sorted(touches, key=lambda t: t[0])]


class Painter:
    """A canvas, the relief of the paint on it, and a box of brushes."""

    def __init__(self, pond, rng):
        self.pond, self.rng, self.shape = pond, rng, pond.shape
        self.scale = self.shape[1] / DESIGN_WIDTH
        self.canvas = mix(colour("6a3040"), colour("c07a50"), 0.5 + 0.08 * noise(rng, self.shape, 60, 70))
        self.relief = np.zeros(self.shape, np.float32)
        # Bristle prints: rows run along the stroke (slow change), columns across it (fast change).
        self.bristles = [np.clip(0.5 + 0.25 * noise(rng, (96, 64), 5, 15), 0, 1) for _ in range(48)]

    def directions(self, reference, radius):
        """Unit vectors along the strokes: normal to the gradient, guided by the scene where it is flat."""
        gy, gx = np.gradient(reference @ np.array([0.30, 0.59, 0.11], np.float32))
        nx, ny = -np.sin(self.pond.angle), np.cos(self.pond.angle)
        weight = 1.5 * np.mean(gx * gx + gy * gy)
        xx, xy, yy = (blur(a * b + weight * c * d, 0.8 * radius) for a, b, c, d in
                      ((gx, gx, nx, nx), (gx, gy, nx, ny), (gy, gy, ny, ny)))
        across = 0.5 * np.arctan2(2 * xy, xx - yy)  # main axis of the smoothed structure tensor
        return np.stack([-np.sin(across), np.cos(across)], -1)

    def pick_colour(self, wanted, liveliness):
        """Broken colour: lean towards a nearby pigment, then jitter chroma, lightness and warmth."""
        rng, distance = self.rng, np.sum((PIGMENTS - wanted) ** 2, -1)
        chance = np.exp((distance.min() - distance) / 0.035)
        pigment = PIGMENTS[rng.choice(len(PIGMENTS), p=chance / chance.sum())]
        paint = wanted + (0.25 + 0.35 * liveliness) * (pigment - wanted)
        paint = paint.mean() + (paint - paint.mean()) * rng.uniform(0.9, 1.25)
        return np.clip(paint + liveliness * (rng.normal(0, 0.06) + rng.normal(0, 0.035, 3)), 0, 1)

    def trace(self, x, y, radius, field, reference, longest):
        """Follow the direction field from (x, y) until the canvas is better left alone."""
        start, heading = reference[y, x], field[y, x] * self.rng.choice((-1, 1))
        points = [np.array((x, y), np.float32)]
        for step in range(longest):
            at = tuple(points[-1].astype(int)[::-1])
            here, turn = reference[at], field[at] * (1 if field[at] @ heading >= 0 else -1)
            if step > 2 and np.abs(here - self.canvas[at]).sum() < np.abs(here - start).sum():
                break
            heading = 0.7 * turn + 0.3 * heading  # a stroke bends less than the field
            heading = heading / (np.hypot(*heading) + 1e-6)
            points.append(points[-1] + 1.1 * radius * heading)
            if (points[-1] < 0).any() or (points[-1] >= self.shape[::-1]).any():
                break
        return np.array(points, np.float32)

    def lay(self, points, radius, paint, second, load=1.0, taper=0.0):
        """Drag a brush loaded with two colours along the points; `load` scales the thickness of the paint."""
        path = spline(points, 3)
        x0, y0 = np.floor(path.min(0) - radius - 2).astype(int).clip(0)
        x1, y1 = np.ceil(path.max(0) + radius + 3).astype(int).clip(0, self.shape[::-1])
        if x0 >= x1 or y0 >= y1:
            return  # beside the canvas
        # Brush coordinates of each pixel, from the nearest sample of the path: along it, and across it.
        walked = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))]).astype(np.float32)
        tangent = np.gradient(path, axis=0)
        tangent /= np.hypot(*tangent.T)[:, None] + 1e-6
        gx, gy = np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32)
        k = (((gx - path[:, :1]) ** 2)[:, None, :] + ((gy - path[:, 1:]) ** 2)[:, :, None]).argmin(0)
        ox, oy, tx, ty = gx[None] - path[k, 0], gy[:, None] - path[k, 1], tangent[k, 0], tangent[k, 1]
        along, length = ox * tx + oy * ty + walked[k], walked[-1]
        width = radius * (1 - taper * np.clip(2 * along / (length + 1e-6) - 1, -1, 1) ** 2)
        side = (oy * tx - ox * ty) / width
        over = np.maximum(np.maximum(-along, along - length), 0) / width
        marks = self.bristles[self.rng.integers(len(self.bristles))]
        row = np.clip(along / radius * 6 + 12, 0, 95).astype(int)
        hair = marks[row, np.clip((side + 1) * min(32, 5 * radius / self.scale), 0, 63).astype(int)]
        rim = np.hypot(side, over) + 0.22 * (hair - 0.5)
        dry = smoothstep(0.35, 1.1, along / (length + 1.2 * radius))  # the brush runs out of paint
        cover = np.clip((1 - rim) * width * 0.8, 0, 1) * (1 - 0.9 * dry * smoothstep(0.35, 0.65, 1 - hair))
        tone = mix(paint, second, np.clip(0.5 + 1.6 * (hair - 0.5) + 0.4 * side, 0, 1))
        tone *= (1 + 0.16 * (hair - 0.5))[..., None]
        ridge = (0.35 + 0.9 * hair + 0.5 * smoothstep(0.5, 0.9, rim)) * (1 - 0.5 * dry)
        ridge *= load * (radius / self.scale) ** 0.5
        self.canvas[y0:y1, x0:x1] = mix(self.canvas[y0:y1, x0:x1], tone, 0.96 * cover)
        self.relief[y0:y1, x0:x1] += cover * (ridge - 0.55 * self.relief[y0:y1, x0:x1])

    def layer(self, radius, spacing, threshold, longest, liveliness, focus):
        """One pass with one brush over the whole canvas, in random order; returns the number of strokes."""
        rng, (h, w), radius, count = self.rng, self.shape, max(1.5, radius * self.scale), 0
        reference = blur(self.pond.rgb, max(0.6, 0.45 * radius))
        field, gap = self.directions(reference, radius), max(2, round(spacing * radius))
        error = np.abs(reference - self.canvas).sum(-1) * (1 - focus + 2 * focus * self.pond.detail)
        for corner in rng.permutation(np.mgrid[:h:gap, :w:gap].reshape(2, -1).T):
            patch = error[corner[0]:corner[0] + gap, corner[1]:corner[1] + gap]
            if patch.mean() < threshold:
                continue
            spot = patch.argmax() if threshold else rng.integers(patch.size)
            y, x = corner + np.unravel_index(spot, patch.shape)
            points = self.trace(x, y, radius, field, reference, longest)
            size = radius * rng.uniform(0.75, 1.2)
            paint, second = (self.pick_colour(reference[y, x], k * liveliness) for k in (1.0, 1.3))
            self.lay(points, size, paint, second)
            count += 1
        return count

    def touch_up(self):
        """The last touches, petals and glints of light, laid on thick; returns their number."""
        for points, radius, paint, second, taper in self.pond.touches:
            size = max(1.3 * self.scale, radius * self.shape[0])
            self.lay(points.astype(np.float32) * self.shape[0], size, paint, second, 1.3, taper)
        return len(self.pond.touches)

    def light(self):
        """The finished picture: the relief lit from the upper left, shading and a wet gleam."""
        gy, gx = np.gradient(blur(self.relief, 0.7 * self.scale))
        normal = np.stack([-gx, -gy, np.full_like(gx, 1.4 / self.scale)], -1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        shade = 0.55 * (normal @ LAMP - LAMP[2])
        gleam = np.clip(normal @ (LAMP + (0, 0, 1)) / np.sqrt(2 + 2 * LAMP[2]), 0, 1) ** 40 - 0.25
        return np.clip(self.canvas * (1 + shade + 0.10 * gleam)[..., None] + 0.03 * gleam[..., None], 0, 1)


def save(image, path):
    """Write next to the target, then rename, so that a reader never sees half a picture."""
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        picture = Image.fromarray((image * 255 + 0.5).astype(np.uint8))
        picture.save(part, quality=92, subsampling=0)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main():
    """Parse the command line, paint, save."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parent.parent / "docs" / "images" / "lily_pond.jpg"
    parser.add_argument("--size", type=whole_number(64, 4096), default=DESIGN_WIDTH, help="width in pixels (%(default)s)")
    parser.add_argument("--seed", type=whole_number(0), default=8, help="seed of scene and strokes (%(default)s)")
    parser.add_argument("--output", type=Path, default=default, help="picture (docs/images/lily_pond.jpg)")
    args = parser.parse_args()
    if not args.output.absolute().parent.is_dir() or args.output.suffix not in (".jpg", ".jpeg", ".png"):
        parser.error("--output must be a .jpg or .png file in a folder that exists")
    begin = time.monotonic()
    rng = np.random.Generator(np.random.Philox(args.seed))
    pond = Pond(args.size, rng)
    print(f"scene      {args.size} x {pond.shape[0]} pixels  {time.monotonic() - begin:.1f} s", flush=True)
    painter = Painter(pond, rng)
    for number, settings in enumerate(LAYERS, 1):
        strokes = f"{painter.layer(*settings)} strokes of radius {settings[0]}"
        print(f"layer {number}/{len(LAYERS)}  {strokes}  {time.monotonic() - begin:.1f} s", flush=True)
    print(f"touches    {painter.touch_up()} strokes  {time.monotonic() - begin:.1f} s", flush=True)
    save(painter.light(), args.output)
    print(f"wrote {args.output}")


if __name__ == "__main__":
    main()
