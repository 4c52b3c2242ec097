#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes clip_pixels.json: small pictures of many kinds, and what OpenAI's transform makes of them with Pillow 12.0.0.

    python3 -m venv /tmp/pillow-venv && /tmp/pillow-venv/bin/pip install pillow==12.0.0 numpy
    /tmp/pillow-venv/bin/python tests/golden/make_clip_pixels.py

The transform is torchvision's Resize(size, BICUBIC) and CenterCrop(size) of a PIL picture, then convert("RGB").
Pillow 13 scales a picture in the other order if it loses more than twice as many rows as columns, and cuts off 16 bits better.
"""

import base64
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

OUTPUT = Path(__file__).with_name("clip_pixels.json")
SIZES = ((13, 9), (9, 13), (1, 20), (20, 1), (8, 8), (11, 8), (8, 13), (40, 17), (3, 5), (1, 1))


def transform(picture, size):
    width, height = picture.size
    longer = int(size * max(width, height) / min(width, height))
    sides = (size, longer) if width <= height else (longer, size)
    if picture.size != sides:
        picture = picture.resize(sides, Image.Resampling.BICUBIC)
    left, top = (int(round((side - size) / 2.0)) for side in sides)
    return picture.crop((left, top, left + size, top + size)).convert("RGB")


def png(array, depth, kind, palette=None, transparency=None):
    """What Pillow does not write: every depth, and colour keys."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = array.shape[:2]
    rows = array.reshape(height, -1)
    if depth < 8:
        rows = np.packbits((rows[..., None] >> np.arange(depth - 1, -1, -1) & 1).reshape(height, -1), axis=1)
    data = b"".join(b"\0" + row.astype(">u2" if depth == 16 else "u1").tobytes() for row in rows)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))]
    parts += [chunk(b"PLTE", palette)] if palette else []
    parts += [chunk(b"tRNS", transparency)] if transparency else []
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def files(rng):
    """(name, bytes) of every picture."""
    def values(size, channels, most=255):
        y, x = np.mgrid[:size[1], :size[0]]
        wave = (np.sin(x / 2 + y / 3) + 1)[..., None] / 2
        return np.clip(wave * most * 0.7 + rng.integers(0, most // 2 + 2, (size[1], size[0], channels)), 0, most).astype(int)

    palette = rng.integers(0, 256, 768).astype("u1").tobytes()
    for size in SIZES:
        name = f"{size[0]}x{size[1]}"
        yield f"{name} RGB.png", png(values(size, 3), 8, 2)
        yield f"{name} RGBA.png", png(values(size, 4), 8, 6)
    size = SIZES[0]
    yield "L.png", png(values(size, 1), 8, 0)
    yield "LA.png", png(values(size, 2), 8, 4)
    yield "1.png", png(values(size, 1, 1), 1, 0)
    yield "L2.png", png(values(size, 1, 3), 2, 0)
    yield "L4.png", png(values(size, 1, 15), 4, 0)
    yield "L16 dark.png", png(values(size, 1, 400), 16, 0)
    yield "L16.png", png(values(size, 1, 65535), 16, 0)
    yield "LA16.png", png(values(size, 2, 65535), 16, 4)
    yield "RGB16.png", png(values(size, 3, 65535), 16, 2)
    yield "RGBA16.png", png(values(size, 4, 65535), 16, 6)
    yield "P.png", png(values(size, 1), 8, 3, palette)
    yield "P4.png", png(values(size, 1, 15), 4, 3, palette[:48])
    yield "P with transparent colours.png", png(values(size, 1), 8, 3, palette, bytes(range(0, 256, 2)))
    yield "RGB with a transparent colour.png", png(np.where(values(size, 1) > 128, 9, values(size, 3)), 8, 2, None, b"\0\x09\0\x09\0\x09")
    colour = Image.fromarray(values(size, 3).astype("u1"))
    grey = Image.fromarray(values(size, 1)[..., 0].astype("u1"))
    inks = Image.fromarray(values(size, 4).astype("u1"), "CMYK")
    yield "RGB.jpg", encoded(colour, "JPEG", quality=80)
    yield "CMYK.jpg", encoded(inks, "JPEG", quality=80)
    yield "P.bmp", encoded(colour.quantize(30), "BMP")
    yield "L.bmp", encoded(grey.crop((0, 0, 4, 4)), "BMP")
    yield "P.gif", encoded(colour.quantize(30), "GIF")
    yield "P.tga", encoded(colour.quantize(30), "TGA")
    yield "P.tif", encoded(colour.quantize(4), "TIFF")
    yield "CMYK.tif", encoded(inks, "TIFF")
    yield "1.tif", encoded(grey.convert("1"), "TIFF")
    yield "RGBA.webp", encoded(Image.fromarray(values(size, 4).astype("u1")), "WEBP", lossless=True)


def main():
    def text(data):
        return base64.b64encode(data).decode("ascii")

    cases = []
    for name, data in files(np.random.default_rng(14)):
        picture = Image.open(io.BytesIO(data))
        for size in (8, 5) if picture.mode == "RGB" else (8,):
            pixels = np.asarray(transform(picture, size)).transpose(2, 0, 1)
            cases.append({"name": name, "mode": picture.mode, "file": text(data), "size": size, "pixels": text(pixels.tobytes())})
    lines = ",\n".join(json.dumps(case) for case in cases)
    OUTPUT.write_text(f'{{"pillow": "{PIL.__version__}", "cases": [\n{lines}\n]}}\n', encoding="ascii")
    print(f"{OUTPUT}: {len(cases)} cases")


if __name__ == "__main__":
    main()
